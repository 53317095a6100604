const NOT_HEADER_SAFE = /[^\x21-\x24\x26-\x7e]/gu;

/**
 * Text as a header value: visible ASCII stays as it is; everything else, and `%` itself, is percent-encoded as
 * UTF-8. Two different ids never become one.
 */
export function headerText(text: string): string {
  return text.replace(NOT_HEADER_SAFE, (char) => encodeURIComponent(char));
}
