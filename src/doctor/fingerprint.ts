import { hash as digest } from "node:crypto";

/** Names a key without telling it. The first 8 of the 16 hex digits are its key id, as audit entries have it. */
export function fingerprintOf(key: string): string {
  return digest("sha256", `hexhook-key-id:${key}`, "hex").slice(0, 16);
}
