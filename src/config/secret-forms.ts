import { createHash } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { decodeBase64, decodeHex } from "../signature/encoding.ts";

/** A secret as text, with its key. */
export interface KeyedText {
  readonly text: string;
  readonly key: Buffer;
  /** Null for a symmetric key. */
  readonly publicKey: KeyObject | null;
}

/** HMAC (RFC 2104) replaces a key that is longer than the block of its hash by the hash of the key. */
const BLOCKS = [
  { bytes: 64, hash: "sha1" },
  { bytes: 64, hash: "sha256" },
  { bytes: 128, hash: "sha512" },
] as const;

/**
 * Returns the keys that a secret can be used as, in a form to compare. Two secrets with one in common are not separate: the
 * text of one may be the key of the other in base64 or hex, the hash of a long key is the same HMAC key, and so is a key with
 * zero bytes at its end.
 */
export function formsOf({
  text,
  key,
  publicKey,
}: KeyedText): ReadonlySet<string> {
  const plain = text.replace(/^wh(?:sec|pk)_/, "");
  const keys = [
    key,
    Buffer.from(text, "utf8"),
    Buffer.from(plain, "utf8"),
    decodeBase64(plain),
    decodeHex(plain),
    publicKey?.export({ format: "der", type: "spki" }),
  ];
  const forms = new Set<string>();
  for (const one of keys) {
    if (one && one.length > 0) {
      forms.add(withoutZeros(one));
      for (const { bytes, hash } of BLOCKS) {
        if (one.length > bytes) {
          forms.add(withoutZeros(createHash(hash).update(one).digest()));
        }
      }
    }
  }
  return forms;
}

function withoutZeros(key: Buffer): string {
  return key.toString("hex").replace(/(?:00)+$/, "");
}
