import { hashLine, splitHash } from "../chain.ts";
import { MAX_LINE_BYTES } from "../entry.ts";
import { isExactLine, parseEntry, type ParsedEntry } from "../parsed-entry.ts";

/**
 * Reads the entry of a line. `corrupt`: the line has the form of an entry, but it is too long, is encoded differently, or has
 * a wrong hash. `none`: the line does not have the form of an entry.
 */
export function readEntry(line: string): ParsedEntry | "corrupt" | "none" {
  const split = splitHash(line);
  const parsed = split === null ? null : parseEntry(line);
  if (split === null || parsed === null) {
    return "none";
  }
  const isIntact =
    line.length <= MAX_LINE_BYTES &&
    hashLine(split.covered) === split.claimed &&
    isExactLine(line, parsed);
  return isIntact ? parsed : "corrupt";
}
