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

/** What a secret says about the signatures of a request. */
export interface Comparison {
  readonly matches: boolean;
  /**
   * Identifies the request for the replay guard. Two requests with one key have the same signed bytes and the same secret.
   * It is the MAC where there is one: a signature with a public key can have several valid forms.
   */
  readonly replayKey: Buffer;
}

/** Compares every offered signature of the secret's algorithm, without early exit. */
export function compare(
  { algorithm, key, publicKey }: SigningSecret,
  offered: readonly Offered[],
  signed: SignedBytes,
): Comparison {
  const own = offered.filter((one) => one.algorithm === algorithm);
  switch (algorithm) {
    case "hmac-sha1":
    case "hmac-sha256":
    case "hmac-sha512": {
      const mac = macOf(algorithm, key, signed);
      let matches = false;
      for (const { signature } of own) {
        matches = timingSafeEqual(mac, signature) || matches;
      }
      return { matches, replayKey: mac };
    }
    case "token": {
      const expected = digest("sha256", key, "buffer");
      let matches = false;
      for (const { signature } of own) {
        const hashed = digest("sha256", signature, "buffer");
        matches = timingSafeEqual(expected, hashed) || matches;
      }
      return { matches, replayKey: macOf("hmac-sha256", key, signed) };
    }
    case "ed25519":
    case "ecdsa-p256": {
      const bytes = Buffer.concat(
        signed.map((part) =>
          typeof part === "string" ? Buffer.from(part, "latin1") : part,
        ),
      );
      const hash = algorithm === "ed25519" ? null : "sha256";
      let matches = false;
      for (const { signature } of own) {
        matches =
          (publicKey !== null && verify(hash, bytes, publicKey, signature)) ||
          matches;
      }
      return { matches, replayKey: macOf("hmac-sha256", key, signed) };
    }
  }
}
