/** Like git, a file with a zero byte in its first 8000 bytes counts as binary. */
const SNIFFED_BYTES = 8000;

/**
 * Decodes a file as UTF-8, or as UTF-16 with or without a byte order mark. In binary files each byte becomes a character.
 */
export function decode(bytes: Buffer): { text: string; isText: boolean } {
  const order = utf16OrderOf(bytes);
  if (order !== null) {
    const even = bytes.subarray(0, bytes.length & ~1);
    const little = order === "le" ? even : Buffer.from(even).swap16();
    return { text: little.toString("utf16le"), isText: true };
  }
  return bytes.subarray(0, SNIFFED_BYTES).includes(0)
    ? { text: bytes.toString("latin1"), isText: false }
    : { text: bytes.toString("utf8"), isText: true };
}

/** Detects UTF-16 by its byte order mark, or else by zero bytes: in ASCII text every other byte is zero. */
function utf16OrderOf(bytes: Buffer): "le" | "be" | null {
  const mark = bytes.subarray(0, 2).toString("hex");
  if (mark === "fffe" || mark === "feff") {
    return mark === "fffe" ? "le" : "be";
  }
  const begin = bytes.subarray(0, Math.min(bytes.length, SNIFFED_BYTES) & ~1);
  let evenZeros = 0;
  let oddZeros = 0;
  for (const [index, byte] of begin.entries()) {
    if (byte === 0) {
      evenZeros += index % 2 === 0 ? 1 : 0;
      oddZeros += index % 2;
    }
  }
  const minimum = begin.length * 0.4;
  if (begin.length >= 8 && oddZeros > minimum && evenZeros === 0) {
    return "le";
  }
  return begin.length >= 8 && evenZeros > minimum && oddZeros === 0
    ? "be"
    : null;
}
