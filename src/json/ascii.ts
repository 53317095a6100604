const NOT_PRINTABLE_ASCII = /[^\x20-\x7e]/;
// JSON.stringify escapes the control characters before the space.
const BEYOND_PRINTABLE_ASCII = /[\u007f-\uffff]/g;

/**
 * Serialises a value as JSON in printable ASCII. Every other character is escaped as \uXXXX. The result is always one line, also
 * for log pipelines that treat U+2028 or U+0085 as a newline. It contains no control codes that a terminal would act on.
 */
export function asciiJson(value: unknown): string {
  const json = JSON.stringify(value);
  return NOT_PRINTABLE_ASCII.test(json) ? escapeJson(json) : json;
}

/** Escapes all characters outside printable ASCII in JSON text. */
export function escapeJson(json: string): string {
  return json.replace(
    BEYOND_PRINTABLE_ASCII,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
