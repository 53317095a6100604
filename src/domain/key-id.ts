import { hash as digest } from "node:crypto";

/** Names a secret without telling it: first 8 hex digits of SHA-256("hexhook-key-id:" + secret). */
export function keyIdOf(secret: string): string {
  return fingerprintOf(secret).slice(0, 8);
}

/** The same with 16 hex digits, where there may be many. */
export function fingerprintOf(secret: string): string {
  return digest("sha256", `hexhook-key-id:${secret}`, "hex").slice(0, 16);
}
