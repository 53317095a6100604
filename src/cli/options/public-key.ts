import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { InvalidArgumentError } from "commander";
import { publicKeyText, readPublicKey } from "../../audit/checkpoint.ts";
import { errorCode } from "../../errors.ts";

/** Parses an Ed25519 public key: base64 of its SPKI DER, as in checkpoints, or the path of a file with the key in base64 or PEM. */
export function readPublicKeyOption(
  text: string,
  earlier: readonly string[] = [],
): string[] {
  const key = keyIn(text) ?? keyIn(contentOf(text));
  if (key === null) {
    throw new InvalidArgumentError(`It must be ${ACCEPTED_FORMS}.`);
  }
  return [...earlier, key];
}

const ACCEPTED_FORMS =
  "an Ed25519 public key in base64, as in metadata.publicKey of a checkpoint, or a file with the key in base64 or PEM";

function contentOf(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new InvalidArgumentError(
      `As a file, it cannot be read (${errorCode(error) ?? "unknown"}); it must be ${ACCEPTED_FORMS}.`,
    );
  }
}

function keyIn(text: string): string | null {
  if (readPublicKey(text) !== null) {
    return text;
  }
  try {
    const key = createPublicKey(text);
    return key.asymmetricKeyType === "ed25519" ? publicKeyText(key) : null;
  } catch {
    return null;
  }
}
