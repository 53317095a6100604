import { createHmac } from "node:crypto";

/**
 * Computes the HMAC-SHA256 over `timestamp.body`, or over the body alone if `timestamp` is null. Returns 32 bytes.
 * `timestamp` is the text of the header as received: a number converted back to text could differ.
 */
export function macOf(
  key: Buffer,
  timestamp: string | null,
  body: Buffer,
): Buffer {
  const hmac = createHmac("sha256", key);
  if (timestamp !== null) {
    hmac.update(`${timestamp}.`, "latin1");
  }
  return hmac.update(body).digest();
}
