import { createHmac } from "node:crypto";

const PREFIX = "whsec_";

/** The key of an outbound secret: base64 behind `whsec_`, else the UTF-8 bytes verbatim. */
export function outboundKey(secret: string): Buffer {
  return secret.startsWith(PREFIX)
    ? Buffer.from(secret.slice(PREFIX.length), "base64")
    : Buffer.from(secret, "utf8");
}

/** `webhook-signature` of Standard Webhooks: `v1,` and base64 HMAC-SHA256 over `id.timestamp.body`. */
export function standardSignature(
  key: Buffer,
  id: string,
  timestamp: number,
  body: Buffer,
): string {
  const mac = createHmac("sha256", key)
    .update(`${id}.${timestamp}.`)
    .update(body)
    .digest("base64");
  return `v1,${mac}`;
}
