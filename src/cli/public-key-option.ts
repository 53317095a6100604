import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { InvalidArgumentError } from "commander";
import { publicKeyText, readPublicKey } from "../core/checkpoint.ts";

/** Adds an Ed25519 public key: base64 of its SPKI DER, as checkpoints name it, or the path of a file that holds it so or in PEM. */
export function readPublicKeyOption(
  text: string,
  earlier: readonly string[] = [],
): string[] {
  const key = keyIn(text) ?? keyIn(contentOf(text));
  if (key === null) {
    throw new InvalidArgumentError(
      "It must be an Ed25519 public key: base64 as metadata.publicKey of a checkpoint has it, or a PEM file.",
    );
  }
  return [...earlier, key];
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return "";
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
