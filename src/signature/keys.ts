import { createPublicKey, type KeyObject } from "node:crypto";
import type { Algorithm, Scheme } from "../domain/scheme.ts";
import { decodeBase64, decodeHex } from "./encoding.ts";

/** The key in a secret. */
export interface SecretKey {
  readonly algorithm: Algorithm;
  /** The bytes of a symmetric key, or the encoded bytes of a public key. */
  readonly key: Buffer;
  /** Null for a symmetric key. */
  readonly publicKey: KeyObject | null;
}

/** The first bytes of every Ed25519 public key in SPKI: RFC 8410 section 4. */
const ED25519_SPKI = Buffer.from("302a300506032b6570032100", "hex");
const ED25519_BYTES = 32;

/** Reads the key in a secret of a scheme. An error never contains the secret. */
export function readKey(
  { secret: { format }, algorithm }: Scheme,
  secret: string,
): SecretKey | { error: string } {
  switch (format) {
    case "text":
      return symmetric(algorithm, Buffer.from(secret, "utf8"));
    case "hex":
      return symmetric(algorithm, decodeHex(secret), "must be hex digits");
    case "base64":
      return symmetric(algorithm, decodeBase64(secret), "must be base64");
    case "whsec":
      return secret.startsWith("whpk_")
        ? ed25519(
            decodeBase64(secret.slice(5)),
            "must be the base64 of 32 bytes after whpk_",
          )
        : symmetric(
            algorithm,
            decodeBase64(secret.replace(/^whsec_/, "")),
            "must be base64, optionally after whsec_",
          );
    case "ed25519-hex":
      return ed25519(
        decodeHex(secret),
        "must be an Ed25519 public key: 64 hex digits",
      );
    case "ed25519-base64":
      return ed25519(
        decodeBase64(secret),
        "must be an Ed25519 public key: the base64 of 32 bytes",
      );
    case "spki":
      return spki(algorithm, secret);
  }
}

function symmetric(
  algorithm: Algorithm,
  key: Buffer | null,
  error = "is not valid",
): SecretKey | { error: string } {
  return key === null || key.length === 0
    ? { error }
    : { algorithm, key, publicKey: null };
}

function ed25519(
  key: Buffer | null,
  error: string,
): SecretKey | { error: string } {
  if (key?.length !== ED25519_BYTES) {
    return { error };
  }
  const der = Buffer.concat([ED25519_SPKI, key]);
  const publicKey = createPublicKey({ key: der, format: "der", type: "spki" });
  return { algorithm: "ed25519", key, publicKey };
}

/** The properties of the public key that an algorithm needs. */
function isKeyOf(algorithm: Algorithm, key: KeyObject): boolean {
  return algorithm === "ecdsa-p256"
    ? key.asymmetricKeyType === "ec" &&
        key.asymmetricKeyDetails?.namedCurve === "prime256v1"
    : key.asymmetricKeyType === algorithm;
}

function spki(
  algorithm: Algorithm,
  secret: string,
): SecretKey | { error: string } {
  try {
    const publicKey = secret.startsWith("-----BEGIN PUBLIC KEY-----")
      ? createPublicKey(secret)
      : createPublicKey({
          key: decodeBase64(secret) ?? Buffer.alloc(0),
          format: "der",
          type: "spki",
        });
    if (isKeyOf(algorithm, publicKey)) {
      const key = publicKey.export({ format: "der", type: "spki" });
      return { algorithm, key, publicKey };
    }
  } catch {
    // Not a public key.
  }
  return {
    error: `must be a public key for ${algorithm}: SPKI in base64, or PEM`,
  };
}
