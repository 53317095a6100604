import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from "node:crypto";

/* Senders as they are outside of this product: nothing here uses the code under test. */

/** A signing secret as the sender's user configures it. */
export interface Credential {
  readonly text: string;
  /** Null for a symmetric key. */
  readonly privateKey: KeyObject | null;
}

/** What to deliver. */
export interface Order {
  readonly credential: Credential;
  /** The sender's clock, in unix milliseconds. */
  readonly at: number;
  /** Distinguishes the event from the others of the sender. */
  readonly n: number;
  /** The URL that the sender calls. */
  readonly url: string;
}

/** A request of a sender, and the event that it stands for. */
export interface Delivery {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** The query that the sender appends to the URL, with its `?`. */
  readonly query?: string;
  /** Null: the message has no id, so the SHA-256 of its body is the event's. */
  readonly id: string | null;
  readonly type: string;
}

export interface Sender {
  /** The name of its source. */
  readonly name: string;
  readonly scheme: string;
  /** Settings of its source besides the scheme and the secrets, as YAML in flow style. */
  readonly settings?: string;
  readonly credential: (seed: string) => Credential;
  readonly deliver: (order: Order) => Delivery | Promise<Delivery>;
  /** Headers with a signature or a token. */
  readonly signature: readonly string[];
  /** The header with the signed time. */
  readonly time?: string;
  /** How far the signed time may be off, in seconds. Absent if the sender signs no time. */
  readonly windowSeconds?: number;
  /** The header with an id that the signature covers. */
  readonly signedId?: string;
  /** The sender accepts only responses without a body. */
  readonly wantsEmptyResponses?: true;
  readonly isUrlSigned?: true;
  /** The signature does not cover the body, or not all of it. */
  readonly isBodyUnsigned?: true;
}

export const JSON_TYPE = { "content-type": "application/json" };
export const FORM_TYPE = {
  "content-type": "application/x-www-form-urlencoded",
};

const seedOf = (seed: string): Buffer =>
  createHash("sha256").update(seed).digest();

/** A secret whose text is the key. */
export const textCredential = (seed: string): Credential => ({
  text: seedOf(seed).toString("hex"),
  privateKey: null,
});

/** A secret with a prefix that is part of the key. */
export const prefixedCredential =
  (prefix: string) =>
  (seed: string): Credential => ({
    text: `${prefix}${seedOf(seed).toString("hex")}`,
    privateKey: null,
  });

export const standardCredential = (seed: string): Credential => ({
  text: `whsec_${seedOf(seed).toString("base64")}`,
  privateKey: null,
});

/** The first bytes of an Ed25519 private key in PKCS #8: RFC 8410 section 7. */
const ED25519_PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");
const ED25519_BYTES = 32;

/** A secret with a public key of Ed25519. `format` writes its 32 bytes. */
export const ed25519Credential =
  (format: (publicKey: Buffer) => string) =>
  (seed: string): Credential => {
    const privateKey = createPrivateKey({
      key: Buffer.concat([ED25519_PKCS8, seedOf(seed)]),
      format: "der",
      type: "pkcs8",
    });
    const spki = createPublicKey(privateKey).export({
      format: "der",
      type: "spki",
    });
    return { text: format(spki.subarray(-ED25519_BYTES)), privateKey };
  };

const p256 = new Map<string, Credential>();

/** A secret with a public key of P-256, SPKI in base64. It differs from run to run. */
export function p256Credential(seed: string): Credential {
  let credential = p256.get(seed);
  if (credential === undefined) {
    const { privateKey, publicKey } = generateKeyPairSync("ec", {
      namedCurve: "P-256",
    });
    const spki = publicKey.export({ format: "der", type: "spki" });
    credential = { text: spki.toString("base64"), privateKey };
    p256.set(seed, credential);
  }
  return credential;
}

/** Computes an HMAC over parts. The key is the text of the secret. */
export const hmac = (
  algorithm: "sha1" | "sha256" | "sha512",
  { text }: Credential,
  ...parts: readonly (string | Buffer)[]
) => {
  const mac = createHmac(algorithm, text);
  for (const part of parts) {
    mac.update(part);
  }
  return mac.digest();
};

export const json = (value: unknown): Buffer =>
  Buffer.from(JSON.stringify(value));

export const form = (fields: Readonly<Record<string, string>>): Buffer =>
  Buffer.from(new URLSearchParams(fields).toString());

export const seconds = (at: number): string => String(Math.floor(at / 1000));

/** An id that the sender uses for several messages, made unique by the body. */
export const withDigest = (id: string, body: Buffer): string =>
  `${id}:${createHash("sha256").update(body).digest("hex").slice(0, 12)}`;
