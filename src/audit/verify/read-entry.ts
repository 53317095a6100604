import { hashLine, splitHash } from "../chain.ts";
import { MAX_LINE_BYTES } from "../entry.ts";
import { isExactLine, parseEntry, type ParsedEntry } from "../parsed-entry.ts";

/**
 * The entry of a line. `corrupt`: it has the form of one, and is too long, spelled otherwise, or not what its hash covers.
 * `none`: it has not even the form.
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
