import { LINE_START, STDOUT_PREFIX } from "../entry.ts";

/** A terminal colour sequence at the end of a text. */
// eslint-disable-next-line no-control-regex -- the pattern searches for the escape character
const COLOUR = /\x1b\[[\d;]{0,15}m$/;
const MAX_COLOUR = 20;

/** A line of a stream, split before its first entry. `before` is the prefix that a log collector added. */
export interface StreamLine {
  readonly before: string;
  /** Begins like an entry; null = the line has no such text. */
  readonly rest: string | null;
}

export function streamLine(text: string): StreamLine {
  const line = trimEnd(text);
  const at = line.indexOf(LINE_START);
  return at === -1
    ? { before: line, rest: null }
    : { before: line.slice(0, at), rest: line.slice(at) };
}

/** Removes what may follow an entry on its line: carriage returns, spaces, tabs and colour sequences. */
function trimEnd(text: string): string {
  let end = text.length;
  for (;;) {
    const last = text[end - 1];
    if (last === "\r" || last === " " || last === "\t") {
      end -= 1;
    } else if (last === "m") {
      const found = COLOUR.exec(text.slice(Math.max(0, end - MAX_COLOUR), end));
      if (found === null) {
        return text.slice(0, end);
      }
      end -= found[0].length;
    } else {
      return text.slice(0, end);
    }
  }
}

/** Whether the text before an entry ends in a member name: then an object of another program quotes the entry. */
export function isMember(before: string): boolean {
  return /":\s*$/.test(before.slice(-MAX_COLOUR));
}

/** Whether the text before an entry is our stdout prefix with one changed character. */
export function isCorruptPrefix(before: string): boolean {
  const end = before.slice(-STDOUT_PREFIX.length);
  let changed = 0;
  for (let n = 0; n < STDOUT_PREFIX.length; n += 1) {
    changed += end[n] === STDOUT_PREFIX[n] ? 0 : 1;
  }
  return changed === 1;
}

/** Splits a line at each beginning of an entry. Entries that break off have no newline, so a line may have several. */
export function entriesIn(rest: string): string[] {
  const starts: number[] = [];
  for (
    let at = 0;
    at !== -1;
    at = rest.indexOf(LINE_START, at + LINE_START.length)
  ) {
    starts.push(at);
  }
  return starts.map((at, n) => {
    const entry = rest.slice(at, starts[n + 1]);
    return n + 1 < starts.length && entry.endsWith(STDOUT_PREFIX)
      ? entry.slice(0, -STDOUT_PREFIX.length)
      : entry;
  });
}
