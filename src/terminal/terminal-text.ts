import { asciiJson } from "../json/ascii.ts";

/** Number of columns if no terminal reports its width. */
export const DEFAULT_WIDTH = 80;

const INDENT = "    ";

/**
 * Puts words on lines of at most `width` columns, and indents every line after the first. Truncates a word that is longer than
 * a line, unless `whole` is set.
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

/** Wraps a sentence at `width` columns. Long words, such as paths and ids, stay whole. */
export function wrapText(text: string, width: number): string[] {
  return wrap(text.split(" "), width, { whole: true });
}

/** Escapes a value from outside as ASCII, so that a terminal cannot interpret any character of it as a command. */
export function shown(value: unknown): string {
  return typeof value === "string"
    ? asciiJson(value).slice(1, -1)
    : asciiJson(value);
}

/**
 * The characters that a terminal interprets, hides or reorders: control characters, bidirectional and zero-width characters,
 * separators, and lone surrogates.
 */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** Escapes these characters in a text that quotes an argument or a file name. Keeps all others, such as letters with accents. */
export function visible(text: string): string {
  return text.replace(
    INVISIBLE,
    (char) => `\\u${char.codePointAt(0)?.toString(16).padStart(4, "0") ?? ""}`,
  );
}

/** Formats a time to the second, in UTC: `2026-11-23 18:00:00Z`. */
export function shownTime(milliseconds: number): string {
  const iso = new Date(milliseconds).toISOString();
  return `${iso.slice(0, 19).replace("T", " ")}Z`;
}

const SECOND_MS = 1000;
const UNITS = [
  ["d", 86_400],
  ["h", 3600],
  ["m", 60],
  ["s", 1],
] as const;

/** Formats a duration with its two largest units: `3d 4h`, `12m 5s`, `0s`. A negative duration is `0s`. */
export function shownDuration(milliseconds: number): string {
  let seconds = Math.max(0, Math.floor(milliseconds / SECOND_MS));
  const largest = UNITS.findIndex(([, size]) => seconds >= size);
  const units = largest === -1 ? UNITS.slice(-1) : UNITS.slice(largest);
  const texts = units.slice(0, 2).map(([unit, size]) => {
    const count = Math.floor(seconds / size);
    seconds -= count * size;
    return count === 0 ? "" : `${count}${unit}`;
  });
  return texts.join(" ").trim() || "0s";
}
