const BOM = "\ufeff";

/** The body as JSON text. A leading byte order mark is ignored, as RFC 8259 section 8.1 allows. */
export function decodeJson(body: Buffer): string {
  const text = body.toString("utf8");
  return text.startsWith(BOM) ? text.slice(1) : text;
}
