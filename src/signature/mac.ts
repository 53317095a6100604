import {
  createHmac,
  hash as digest,
  timingSafeEqual,
  verify,
} from "node:crypto";
import type { SigningSecret } from "../domain/source.ts";
import type { Offered } from "./offered.ts";

/** Signed bytes in order. Text is in latin1. */
export type SignedBytes = readonly (string | Buffer)[];

const HASHES = {
  "hmac-sha1": "sha1",
  "hmac-sha256": "sha256",
  "hmac-sha512": "sha512",
} as const;

/** Computes an HMAC. */
export function macOf(
  algorithm: keyof typeof HASHES,
  key: Buffer,
  signed: SignedBytes,
): Buffer {
  const hmac = createHmac(HASHES[algorithm], key);
  for (const part of signed) {
    if (typeof part === "string") {
      hmac.update(part, "latin1");
    } else {
      hmac.update(part);
    }
  }
  return hmac.digest();
}

/** Returns the signed bytes in one buffer, for algorithms that do not take them in parts. */
export function joined(signed: SignedBytes): Buffer {
  return Buffer.concat(
    signed.map((part) =>
      typeof part === "string" ? Buffer.from(part, "latin1") : part,
    ),
  );
}

/** The hash that an algorithm with a public key uses; null if it is part of the algorithm. */
export const PUBLIC_KEY_HASHES = {
  ed25519: null,
  "ecdsa-p256": "sha256",
} as const;

/**
 * Compares every offered signature of the secret's algorithm with each alternative of the signed bytes, without early exit.
 * Returns null if none matches. Otherwise returns what identifies the request for the replay guard: two requests with one key
 * have the same signed bytes and the same secret. It is a MAC also for a public key, because such a signature can have several
 * valid forms.
 */
export function compare(
  secret: Pick<SigningSecret, "algorithm" | "key" | "publicKey">,
  offered: readonly Offered[],
  alternatives: readonly SignedBytes[],
): Buffer | null {
  const { algorithm, key, publicKey } = secret;
  const [first] = alternatives;
  if (first === undefined) {
    return null;
  }
  switch (algorithm) {
    case "hmac-sha1":
    case "hmac-sha256":
    case "hmac-sha512": {
      let isMatch = false;
      let replayKey: Buffer | null = null;
      for (const signed of alternatives) {
        const mac = macOf(algorithm, key, signed);
        replayKey ??= mac;
        for (const { algorithm: by, signature } of offered) {
          isMatch =
            (by === algorithm && timingSafeEqual(mac, signature)) || isMatch;
        }
      }
      return isMatch ? replayKey : null;
    }
    case "token":
      return isToken(key, offered) ? macOf("hmac-sha256", key, first) : null;
    case "ed25519":
    case "ecdsa-p256": {
      const hash = PUBLIC_KEY_HASHES[algorithm];
      const bytes = joined(first);
      let isMatch = false;
      for (const { algorithm: by, signature } of offered) {
        isMatch =
          (by === algorithm &&
            publicKey !== null &&
            verify(hash, bytes, publicKey, signature)) ||
          isMatch;
      }
      return isMatch ? macOf("hmac-sha256", key, first) : null;
    }
  }
}

/** Compares hashes, which have one length, so that the time does not reveal the length of the token. */
function isToken(key: Buffer, offered: readonly Offered[]): boolean {
  const expected = digest("sha256", key, "buffer");
  let isMatch = false;
  for (const { algorithm, signature } of offered) {
    const hashed = digest("sha256", signature, "buffer");
    isMatch =
      (algorithm === "token" && timingSafeEqual(expected, hashed)) || isMatch;
  }
  return isMatch;
}
