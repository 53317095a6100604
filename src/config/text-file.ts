import { isUtf8 } from "node:buffer";
import { readFileSync, statSync } from "node:fs";
import { errorCode } from "../errors.ts";
import { processUser } from "../store/write-access.ts";

const UTF16_MARK = /^(?:fffe|feff)/;

/**
 * Reads a file of UTF-8 text, without a byte order mark at its begin. A error says what is wrong with "a file that …", without
 * the path, which may be anything but a path.
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
      return { error: `is too large (more than ${maxBytes} bytes)` };
    }
    bytes = readFileSync(file);
  } catch (thrown) {
    const code = errorCode(thrown);
    const by = code === "EACCES" ? ` by ${processUser()}` : "";
    return { error: `cannot be read${by} (${code ?? "unknown"})`, code };
  }
  if (UTF16_MARK.test(bytes.toString("hex", 0, 2))) {
    return { error: "is UTF-16 text: save it as UTF-8" };
  }
  // UTF-16 without its mark is valid UTF-8, with a NUL beside each letter.
  if (!isUtf8(bytes) || bytes.includes(0)) {
    return { error: "is not UTF-8 text" };
  }
  return { text: bytes.toString("utf8").replace(/^\ufeff/, "") };
}

/** `readText` for a file that a setting names. */
export function readTextFile(
  file: string,
  maxBytes: number,
): { text: string } | { error: string } {
  const read = readText(file, maxBytes);
  return "error" in read
    ? { error: `names a file that ${read.error}` }
    : { text: read.text };
}
