import { LINE_START, STDOUT_PREFIX } from "../core/audit-entry.ts";

/** What may stand behind an entry in a line: a carriage return, blanks, the end of a colour. */
// eslint-disable-next-line no-control-regex -- the escape is what is looked for
const END = /(?:[ \t\r]|\x1b\[[\d;]*m)+$/;

/** A line of a stream: what a log collector put before the first entry in it, and the rest. */
export interface StreamLine {
  readonly before: string;
  /** Begins as an entry does; null when nothing in the line does. */
  readonly rest: string | null;
}

export function streamLine(text: string): StreamLine {
  const line = text.replace(END, "");
  const at = line.indexOf(LINE_START);
  return at === -1
    ? { before: line, rest: null }
    : { before: line.slice(0, at), rest: line.slice(at) };
}

/** Whether what stands before an entry was our own prefix before a character of it was changed. */
export function isDamagedPrefix(before: string): boolean {
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
