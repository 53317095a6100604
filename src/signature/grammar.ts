const SIGNATURE = /^[0-9a-fA-F]{64}$/;
const TIMESTAMP = /^\d{1,11}$/;

/** Parses 64 hex digits to 32 bytes; null for any other text. `Buffer.from` alone would ignore everything after a wrong digit. */
export function parseHexSignature(text: string): Buffer | null {
  return SIGNATURE.test(text) ? Buffer.from(text, "hex") : null;
}

/** Parses 1 to 11 digits as unix seconds; null for any other text. */
export function parseTimestamp(text: string): number | null {
  return TIMESTAMP.test(text) ? Number(text) : null;
}
