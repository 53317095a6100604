import { createHmac } from "node:crypto";

/**
 * HMAC-SHA256 over `timestamp.body`, or over the body alone where the scheme signs no time (null). 32 bytes.
 * `timestamp` is the header's text as it was received, never a number printed again.
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
