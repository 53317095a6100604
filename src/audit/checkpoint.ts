import {
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign as signBytes,
  verify as verifyBytes,
} from "node:crypto";
import type { ChainLink, Checkpoints } from "./chain.ts";
import type { AuditDraft } from "./entry.ts";

/** Creates checkpoints that are signed with an Ed25519 private key (RFC 8032). */
export function createCheckpoints(privateKey: KeyObject): Checkpoints {
  const publicKey = publicKeyOf(privateKey);
  const sign = (text: string): string =>
    signBytes(null, Buffer.from(text, "utf8"), privateKey).toString("base64");
  return {
    publicKey,
    entry: (link, at) => {
      const place = placeOf(link);
      const timestamp = new Date(at).toISOString();
      const metadata = {
        signature: sign(place),
        timestampSignature: sign(`${place}:${timestamp}`),
        publicKey,
      };
      return { ...FIXED, at, metadata };
    },
  };
}

/** Returns the public key of a private key, in the form that checkpoints contain. */
export function publicKeyOf(privateKey: KeyObject): string {
  return publicKeyText(createPublicKey(privateKey));
}

/** Reads an Ed25519 private key from PEM, in which newlines may be written as `\\n`. Returns null for anything else. */
export function readPrivateKey(pem: string): KeyObject | null {
  try {
    const key = createPrivateKey(pem.replaceAll("\\n", "\n"));
    return key.asymmetricKeyType === "ed25519" ? key : null;
  } catch {
    return null;
  }
}

/** Returns a public key in the form that checkpoints contain: base64 of its SPKI DER. */
export function publicKeyText(key: KeyObject): string {
  return key.export({ format: "der", type: "spki" }).toString("base64");
}

/** Reads an Ed25519 public key from the form that checkpoints contain. Returns null for anything else. */
export function readPublicKey(text: string): KeyObject | null {
  try {
    const key = createPublicKey({
      key: Buffer.from(text, "base64"),
      format: "der",
      type: "spki",
    });
    // The decoder accepts several texts for the same bytes. Only one of them is valid here.
    return key.asymmetricKeyType === "ed25519" && publicKeyText(key) === text
      ? key
      : null;
  } catch {
    return null;
  }
}

/**
 * The members that are the same in every checkpoint. The first signature of a checkpoint covers `writer:seq:prev`, and
 * through `prev` every entry before it. The second signature also covers the time of the checkpoint.
 */
const FIXED = {
  action: "audit.checkpoint",
  userId: "system",
  resource: "audit",
  result: "success",
} as const satisfies Partial<AuditDraft>;

/** A checkpoint that was read from a trail. */
export interface ReadCheckpoint {
  readonly timestamp: string;
  readonly userId: string;
  readonly resource: string;
  readonly result: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly chain: ChainLink;
}

/**
 * Whether a checkpoint is signed with the key that it names. `strict`: its writer declared at its start that it signs the
 * time too. Then the checkpoint must be exactly what `createCheckpoints` creates.
 */
export function isSigned(
  { timestamp, metadata, chain, ...rest }: ReadCheckpoint,
  options: { strict: boolean },
): boolean {
  const { signature, timestampSignature, publicKey, ...further } = metadata;
  const key = typeof publicKey === "string" ? readPublicKey(publicKey) : null;
  if (key === null) {
    return false;
  }
  const place = placeOf(chain);
  const isValid = (text: string, encoded: unknown): boolean => {
    const signed = Buffer.from(String(encoded), "base64");
    return (
      signed.toString("base64") === encoded &&
      verifyBytes(null, Buffer.from(text, "utf8"), key, signed)
    );
  };
  const hasFixedMembers =
    rest.userId === FIXED.userId &&
    rest.resource === FIXED.resource &&
    rest.result === FIXED.result &&
    Object.keys(further).length === 0;
  return (
    isValid(place, signature) &&
    (timestampSignature === undefined
      ? !options.strict
      : isValid(`${place}:${timestamp}`, timestampSignature)) &&
    (hasFixedMembers || !options.strict)
  );
}

function placeOf({ writer, seq, prev }: ChainLink): string {
  return `${writer}:${seq}:${prev}`;
}
