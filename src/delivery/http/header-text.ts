const NOT_HEADER_SAFE = /[^\x21-\x24\x26-\x7e]/gu;

/**
 * Encodes text as a header value. Visible ASCII is kept; everything else, and `%` itself, is percent-encoded as UTF-8.
 * Different texts always have different encodings.
 */
export function headerText(text: string): string {
  return text.replace(NOT_HEADER_SAFE, (char) => encodeURIComponent(char));
}
