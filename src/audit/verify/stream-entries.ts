import { isCorruptEntry, isOtherObject, isTorn } from "./corrupt-lines.ts";
import {
  entriesIn,
  isCorruptPrefix,
  isMember,
  streamLine,
} from "./stream-line.ts";

/** What a line of a stream has. */
export interface LineReader {
  /** False, with nothing done, when the text is no entry. */
  readonly entry: (text: string) => boolean;
  /** Text that was an entry before it was changed. */
  readonly corrupt: (text: string) => void;
  /** An entry that breaks off. */
  readonly torn: () => void;
  /** The line is another program's. */
  readonly other: () => void;
}

/** Gives what a line of a stream has to `reader`, whatever a log collector puts before it. */
export function readStreamLine(text: string, reader: LineReader): void {
  const { before, rest } = streamLine(text);
  const isQuoted = isMember(before);
  const isEntry = rest !== null && !isQuoted && !isCorruptPrefix(before);
  if (isEntry && reader.entry(rest)) {
    return;
  }
  const isOther = isQuoted || isOtherObject(before + (rest ?? ""));
  if (isEntry && !isOther) {
    readDamaged(rest, reader);
  } else if (!isOther && isCorruptEntry(rest ?? before)) {
    reader.corrupt(rest ?? before);
  } else {
    reader.other();
  }
}

/** Entries that broke off, or that were changed, in one line. */
function readDamaged(rest: string, reader: LineReader): void {
  const entries = entriesIn(rest);
  let others = 0;
  for (const entry of entries) {
    if (entries.length > 1 && reader.entry(entry)) {
      continue;
    }
    if (isTorn(entry)) {
      reader.torn();
    } else if (isCorruptEntry(entry)) {
      reader.corrupt(entry);
    } else {
      others += 1;
    }
  }
  if (others === entries.length) {
    reader.other();
  }
}
