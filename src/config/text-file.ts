import { isUtf8 } from "node:buffer";
import { readFileSync, statSync } from "node:fs";
import { errorCode } from "../errors.ts";
import { processUser } from "../store/write-access.ts";

const UTF16_MARK = /^(?:fffe|feff)/;

/**
 * Reads a UTF-8 text file and removes a byte order mark at its start. The error completes the sentence "a file that …". It never
 * contains the path, because a user may have set the secret in place of the path.
 */
export function readText(
  file: string,
  maxBytes: number,
): { text: string } | { error: string; code?: string | undefined } {
  let bytes: Buffer;
  try {
    const stat = statSync(file);
    if (!stat.isFile()) {
      return { error: "is not a regular file" };
    }
    if (stat.size > maxBytes) {
      return { error: `is too large (maximum: ${maxBytes} bytes)` };
    }
    bytes = readFileSync(file);
  } catch (thrown) {
    const code = errorCode(thrown);
    const by = code === "EACCES" ? ` by ${processUser()}` : "";
    return { error: `cannot be read${by} (${code ?? "unknown"})`, code };
  }
  if (UTF16_MARK.test(bytes.toString("hex", 0, 2))) {
    return { error: "is UTF-16 text; save it as UTF-8" };
  }
  if (!isUtf8(bytes)) {
    return { error: "is not UTF-8 text; save it as UTF-8" };
  }
  // UTF-16 without a byte order mark is valid UTF-8, with a NUL byte next to each ASCII letter.
  if (bytes.includes(0)) {
    return { error: "contains NUL bytes; save it as UTF-8 text" };
  }
  return { text: bytes.toString("utf8").replace(/^\ufeff/, "") };
}

/** Reads a file that a setting names, as `readText` does. */
export function readTextFile(
  file: string,
  maxBytes: number,
): { text: string } | { error: string } {
  const read = readText(file, maxBytes);
  return "error" in read
    ? { error: `names a file that ${read.error}` }
    : { text: read.text };
}
