const BOM = "\ufeff";

/** Decodes a body to JSON text. Skips a leading byte order mark, as RFC 8259 section 8.1 permits. */
export function decodeJson(body: Buffer): string {
  const text = body.toString("utf8");
  return text.startsWith(BOM) ? text.slice(1) : text;
}
