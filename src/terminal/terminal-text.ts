import { asciiJson } from "../json/ascii.ts";

/** Columns where no terminal says how many it has. */
export const DEFAULT_WIDTH = 80;

const INDENT = "    ";

/**
 * Words on lines of at most `width` columns, each further line indented. A word that is too long by itself is cut, or with
 * `whole` left as it is.
 */
export function wrap(
  words: readonly string[],
  width: number,
  options: { whole: boolean } = { whole: false },
): string[] {
  const room = width - INDENT.length;
  const lines: string[] = [];
  let line: string | null = null;
  for (const word of words) {
    const cut =
      word.length > room && !options.whole
        ? `${word.slice(0, room - 3)}...`
        : word;
    if (line !== null && line.length + 1 + cut.length <= width) {
      line = `${line} ${cut}`;
    } else {
      if (line !== null) {
        lines.push(line);
      }
      line = line === null ? cut : INDENT + cut;
    }
  }
  return line === null ? lines : [...lines, line];
}

/** A sentence on lines of at most `width` columns; words that must stay whole, such as paths and ids, do. */
export function wrapText(text: string, width: number): string[] {
  return wrap(text.split(" "), width, { whole: true });
}

/** A value from outside, escaped, so that a terminal acts on nothing in it. */
export function shown(value: unknown): string {
  return typeof value === "string"
    ? asciiJson(value).slice(1, -1)
    : asciiJson(value);
}

/** What a terminal acts on, hides or reorders: control characters, bidirectional and zero-width ones, separators, lone surrogates. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** A line of text that may repeat something from outside, such as an argument or the name of a file: its letters stay as they are. */
export function visible(text: string): string {
  return text.replace(
    INVISIBLE,
    (char) => `\\u${char.codePointAt(0)?.toString(16).padStart(4, "0") ?? ""}`,
  );
}

/** A time to the second, in UTC: `2026-11-23 18:00:00Z`. */
export function shownTime(milliseconds: number): string {
  const iso = new Date(milliseconds).toISOString();
  return `${iso.slice(0, 19).replace("T", " ")}Z`;
}
