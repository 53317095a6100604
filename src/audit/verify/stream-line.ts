import { LINE_START, STDOUT_PREFIX } from "../entry.ts";

/** The end of a colour. */
// eslint-disable-next-line no-control-regex -- the escape is what is looked for
const COLOUR = /\x1b\[[\d;]{0,15}m$/;
const MAX_COLOUR = 20;

/** A line of a stream: what a log collector put before the first entry in it, and the rest. */
export interface StreamLine {
  readonly before: string;
  /** Begins as an entry does; null when nothing in the line does. */
  readonly rest: string | null;
}

export function streamLine(text: string): StreamLine {
  const line = withoutEnd(text);
  const at = line.indexOf(LINE_START);
  return at === -1
    ? { before: line, rest: null }
    : { before: line.slice(0, at), rest: line.slice(at) };
}

/** What may stand behind an entry in a line is taken off: a carriage return, blanks, colours. */
function withoutEnd(text: string): string {
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

/** Whether what follows is a member of another program's object, which quotes an entry. */
export function isMember(before: string): boolean {
  return /":\s*$/.test(before.slice(-MAX_COLOUR));
}

/** Whether what stands before an entry was our own prefix before a character of it was changed. */
export function isCorruptPrefix(before: string): boolean {
  const end = before.slice(-STDOUT_PREFIX.length);
  let changed = 0;
  for (let n = 0; n < STDOUT_PREFIX.length; n += 1) {
    changed += end[n] === STDOUT_PREFIX[n] ? 0 : 1;
  }
  return changed === 1;
}

/** The entries in a line where some of them broke off without a line end: each begins as an entry does. */
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
