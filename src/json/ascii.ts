const NOT_PRINTABLE_ASCII = /[^\x20-\x7e]/;
// JSON.stringify has escaped control characters below the space.
const BEYOND_PRINTABLE_ASCII = /[\u007f-\uffff]/g;

/**
 * JSON in printable ASCII alone: every other character as \uXXXX. One line, whatever a sender put into it, and
 * nothing in it that a terminal would act on or a log pipeline would take for a newline (U+2028, U+0085).
 */
export function asciiJson(value: unknown): string {
  const json = JSON.stringify(value);
  return NOT_PRINTABLE_ASCII.test(json) ? escapeJson(json) : json;
}

/** JSON text with what is beyond printable ASCII in its strings escaped. */
export function escapeJson(json: string): string {
  return json.replace(
    BEYOND_PRINTABLE_ASCII,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
