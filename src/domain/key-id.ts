import { hash as digest } from "node:crypto";

/**
 * Returns the key id of a secret: the first 8 hex digits of SHA-256("hexhook-key-id:" + secret). It does not reveal the
 * secret.
 */
export function keyIdOf(secret: string): string {
  return fingerprintOf(secret).slice(0, 8);
}

/** Returns the first 16 hex digits of the same hash, for sets so large that 8 digits could collide. */
export function fingerprintOf(secret: string): string {
  return digest("sha256", `hexhook-key-id:${secret}`, "hex").slice(0, 16);
}
