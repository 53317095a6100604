const HEX = /^(?:[0-9a-fA-F]{2})*$/;
const BASE64 =
  /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Decodes hex digits of either case; null for any other text. `Buffer.from` alone ignores everything after a wrong digit. */
export function decodeHex(text: string): Buffer | null {
  return HEX.test(text) ? Buffer.from(text, "hex") : null;
}

/**
 * Decodes base64 with padding (RFC 4648 section 4); null for any other text. `Buffer.from` alone also takes missing padding,
 * the URL alphabet and set bits after the last byte, so that one value would have several texts.
 */
export function decodeBase64(text: string): Buffer | null {
  if (!BASE64.test(text)) {
    return null;
  }
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? bytes : null;
}
