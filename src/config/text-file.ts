import { isUtf8 } from "node:buffer";
import { readFileSync, statSync } from "node:fs";
import { errorCode } from "../errors.ts";

/** Reads a file of UTF-8 text. What goes wrong is told without the path, which may be anything but a path. */
export function readTextFile(
  file: string,
  maxBytes: number,
): { text: string } | { fault: string } {
  let bytes: Buffer;
  try {
    const stat = statSync(file);
    if (!stat.isFile()) {
      return { fault: "names something that is not a file" };
    }
    if (stat.size > maxBytes) {
      return {
        fault: `names a file that is too large (more than ${maxBytes} bytes)`,
      };
    }
    bytes = readFileSync(file);
  } catch (thrown) {
    return {
      fault: `names a file that cannot be read (${errorCode(thrown) ?? "unknown"})`,
    };
  }
  return isUtf8(bytes)
    ? { text: bytes.toString("utf8") }
    : { fault: "names a file that is not UTF-8 text" };
}
