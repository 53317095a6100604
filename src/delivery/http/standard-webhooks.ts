import { createHmac } from "node:crypto";

const PREFIX = "whsec_";

/** Returns the key of an outbound secret: the base64 after `whsec_`, or else the UTF-8 bytes of the secret. */
export function outboundKey(secret: string): Buffer {
  return secret.startsWith(PREFIX)
    ? Buffer.from(secret.slice(PREFIX.length), "base64")
    : Buffer.from(secret, "utf8");
}

/** Returns the `webhook-signature` of Standard Webhooks: `v1,` and the base64 HMAC-SHA256 of `id.timestamp.body`. */
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
