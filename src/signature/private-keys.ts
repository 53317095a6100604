import { createPrivateKey, type KeyObject } from "node:crypto";
import { decodeBase64, decodeHex } from "./encoding.ts";

/** The first bytes of every Ed25519 private key in PKCS #8: RFC 8410 section 7. */
const ED25519_PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");
const SEED_BYTES = 32;

/**
 * Reads a private key: PEM, an Ed25519 seed of 64 hex digits, or the base64 of a seed after `whsk_`, with or without the public key
 * after the seed. An error never contains the key.
 */
export function readPrivateKey(
  text: string,
): { readonly key: KeyObject } | { readonly error: string } {
  const trimmed = text.trim();
  try {
    return {
      key: trimmed.startsWith("-----BEGIN ")
        ? createPrivateKey(trimmed)
        : createPrivateKey({
            key: Buffer.concat([ED25519_PKCS8, seedIn(trimmed)]),
            format: "der",
            type: "pkcs8",
          }),
    };
  } catch {
    return {
      error:
        "must be a private key: PEM, or an Ed25519 key of 64 hex digits or after whsk_",
    };
  }
}

/** Returns the seed; an invalid one if there is none. */
function seedIn(text: string): Buffer {
  if (!text.startsWith("whsk_")) {
    return decodeHex(text) ?? Buffer.alloc(0);
  }
  const bytes = decodeBase64(text.slice("whsk_".length)) ?? Buffer.alloc(0);
  return bytes.length === 2 * SEED_BYTES
    ? bytes.subarray(0, SEED_BYTES)
    : bytes;
}
