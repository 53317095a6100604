const SIGNATURE = /^[0-9a-fA-F]{64}$/;
const TIMESTAMP = /^\d{1,11}$/;

/** 64 hex digits as 32 bytes, else null: `Buffer.from` alone forgives what is not hex by stopping short. */
export function parseHexSignature(text: string): Buffer | null {
  return SIGNATURE.test(text) ? Buffer.from(text, "hex") : null;
}

/** 1 to 11 digits as unix seconds, else null. */
export function parseTimestamp(text: string): number | null {
  return TIMESTAMP.test(text) ? Number(text) : null;
}
