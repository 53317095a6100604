import { createPrivateKey, type KeyObject } from "node:crypto";
import { readSecretFile } from "../../config/secret.ts";
import { UsageError } from "../../errors.ts";

/** The first bytes of every Ed25519 private key in PKCS #8: RFC 8410 section 7. The seed follows. */
const ED25519_PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");
const SEED_BYTES = 32;
const STANDARD_WEBHOOKS = /^whsk_([A-Za-z0-9+/]{43,}={0,2})$/;

/** Reads a private key from a file: PEM, or `whsk_` and base64 as in Standard Webhooks. Throws UsageError. */
export function readPrivateKey(file: string): KeyObject {
  const read = readSecretFile(file);
  if ("error" in read) {
    throw new UsageError(`--private-key ${read.error}`);
  }
  const [, seed] = STANDARD_WEBHOOKS.exec(read.value) ?? [];
  try {
    return seed === undefined
      ? createPrivateKey(read.value)
      : createPrivateKey({
          key: Buffer.concat([
            ED25519_PKCS8,
            Buffer.from(seed, "base64").subarray(0, SEED_BYTES),
          ]),
          format: "der",
          type: "pkcs8",
        });
  } catch {
    throw new UsageError(
      "--private-key: the file must have a private key without a passphrase, in PEM or after whsk_",
    );
  }
}
