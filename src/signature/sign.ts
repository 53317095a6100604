import { macOf } from "./mac.ts";
import type { Scheme } from "./scheme.ts";

/** Signs a body and returns the headers to send with it. `timestamp` is in unix seconds. */
export function signHeaders(
  scheme: Scheme,
  key: Buffer,
  body: Buffer,
  timestamp: number,
): Record<string, string> {
  if (scheme.timestampHeader === null) {
    return { [scheme.signatureHeader]: macOf(key, null, body).toString("hex") };
  }
  const text = String(timestamp);
  return {
    [scheme.timestampHeader]: text,
    [scheme.signatureHeader]: macOf(key, text, body).toString("hex"),
  };
}
