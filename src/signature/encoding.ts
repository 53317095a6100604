import type { SignatureFormat } from "../domain/scheme.ts";

const HEX = /^(?:[0-9a-fA-F]{2})*$/;

/** Decodes hex digits of either case; null for any other text. `Buffer.from` alone ignores everything after a wrong digit. */
export function decodeHex(text: string): Buffer | null {
  return HEX.test(text) ? Buffer.from(text, "hex") : null;
}

/**
 * Decodes base64 with padding (RFC 4648 section 4); null for any other text. `Buffer.from` alone also takes missing padding,
 * the URL alphabet, set bits after the last byte and foreign characters, so that one value would have several texts.
 */
export function decodeBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? bytes : null;
}

/** Decodes a signature; null for a text that is not in the encoding's exact form. */
export function decodeSignature(
  encoding: SignatureFormat["encoding"],
  text: string,
): Buffer | null {
  switch (encoding) {
    case "hex":
      return decodeHex(text);
    case "base64":
      return decodeBase64(text);
    case "text":
      return Buffer.from(text, "latin1");
  }
}

/** Encodes a signature as the sender writes it. */
export function encodeSignature(
  encoding: SignatureFormat["encoding"],
  signature: Buffer,
): string {
  return signature.toString(encoding === "text" ? "latin1" : encoding);
}
