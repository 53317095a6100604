import { isCorruptEntry, isOtherObject, isTorn } from "./corrupt-lines.ts";
import {
  entriesIn,
  isCorruptPrefix,
  isMember,
  streamLine,
} from "./stream-line.ts";

/** Receives the contents of a stream's line. */
export interface LineHandler {
  /** Takes an entry. Returns false and does nothing if the text is not an entry. */
  readonly entry: (text: string) => boolean;
  /** Takes an entry that was changed. */
  readonly corrupt: (text: string) => void;
  /** Called for an entry that breaks off. */
  readonly torn: () => void;
  /** Called for a line of another program. */
  readonly other: () => void;
}

/** Finds the entries in a line of a stream and passes them to `handler`. A log collector may have added a prefix. */
export function readStreamLine(text: string, handler: LineHandler): void {
  const { before, rest } = streamLine(text);
  const isQuoted = isMember(before);
  const isEntry = rest !== null && !isQuoted && !isCorruptPrefix(before);
  if (isEntry && handler.entry(rest)) {
    return;
  }
  const isOther = isQuoted || isOtherObject(before + (rest ?? ""));
  if (isEntry && !isOther) {
    readDamaged(rest, handler);
  } else if (!isOther && isCorruptEntry(rest ?? before)) {
    handler.corrupt(rest ?? before);
  } else {
    handler.other();
  }
}

/** Reads a line with entries that break off or were changed. */
function readDamaged(rest: string, handler: LineHandler): void {
  const entries = entriesIn(rest);
  let others = 0;
  for (const entry of entries) {
    if (entries.length > 1 && handler.entry(entry)) {
      continue;
    }
    if (isTorn(entry)) {
      handler.torn();
    } else if (isCorruptEntry(entry)) {
      handler.corrupt(entry);
    } else {
      others += 1;
    }
  }
  if (others === entries.length) {
    handler.other();
  }
}
