import {
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign as signBytes,
  verify as verifyBytes,
} from "node:crypto";
import type { ChainLink, Checkpoints } from "./chain.ts";
import type { AuditDraft } from "./entry.ts";

/** Makes checkpoints that are signed with an Ed25519 private key (RFC 8032). */
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

/** The public key that belongs to a private one, as checkpoints name it. */
export function publicKeyOf(privateKey: KeyObject): string {
  return publicKeyText(createPublicKey(privateKey));
}

/** The Ed25519 private key of a PEM text, in which `\\n` may stand for a line end; null when it is none. */
export function readPrivateKey(pem: string): KeyObject | null {
  try {
    const key = createPrivateKey(pem.replaceAll("\\n", "\n"));
    return key.asymmetricKeyType === "ed25519" ? key : null;
  } catch {
    return null;
  }
}

/** A public key as checkpoints name it: base64 of its SPKI DER. */
export function publicKeyText(key: KeyObject): string {
  return key.export({ format: "der", type: "spki" }).toString("base64");
}

/** The Ed25519 key of such a text; null when it is none. */
export function readPublicKey(text: string): KeyObject | null {
  try {
    const key = createPublicKey({
      key: Buffer.from(text, "base64"),
      format: "der",
      type: "spki",
    });
    // Base64 forgives much; one key must not have two spellings.
    return key.asymmetricKeyType === "ed25519" && publicKeyText(key) === text
      ? key
      : null;
  } catch {
    return null;
  }
}

/**
 * What a checkpoint has beside its time, its place and its metadata. Its signature covers `writer:seq:prev`, and so every
 * entry before it; a second one covers the time as well, which stands in the checkpoint alone.
 */
const FIXED = {
  action: "audit.checkpoint",
  userId: "system",
  resource: "audit",
  result: "success",
} as const satisfies Partial<AuditDraft>;

/** A checkpoint as it was read. */
export interface ReadCheckpoint {
  readonly timestamp: string;
  readonly userId: string;
  readonly resource: string;
  readonly result: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly chain: ChainLink;
}

/**
 * Whether a checkpoint is signed with the key that it names. `strict`: its writer said at its start that it signs the time
 * too, so that nothing about it may differ from what `createCheckpoints` makes.
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
  const good = (text: string, encoded: unknown): boolean => {
    const signed = Buffer.from(String(encoded), "base64");
    return (
      signed.toString("base64") === encoded &&
      verifyBytes(null, Buffer.from(text, "utf8"), key, signed)
    );
  };
  const asMade =
    rest.userId === FIXED.userId &&
    rest.resource === FIXED.resource &&
    rest.result === FIXED.result &&
    Object.keys(further).length === 0;
  return (
    good(place, signature) &&
    (timestampSignature === undefined
      ? !options.strict
      : good(`${place}:${timestamp}`, timestampSignature)) &&
    (asMade || !options.strict)
  );
}

function placeOf({ writer, seq, prev }: ChainLink): string {
  return `${writer}:${seq}:${prev}`;
}
