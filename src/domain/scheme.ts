/* The description of a signature scheme, as data. docs/sources.md explains the terms. */

/**
 * Where a value of a request is found.
 *
 * - `header`: the lower-case name of a header. A `*` stands for the scheme's header prefix.
 * - `headers`: names of headers; the first one that is present counts.
 * - `pair`: the key of a pair in the signature header, such as `t` in `t=…,v1=…`.
 * - `pointer`: a JSON pointer (RFC 6901) into the body.
 * - `fields`: names of fields of a form; the first one that is present counts.
 */
export type Place =
  | { readonly header: string }
  | { readonly headers: readonly string[] }
  | { readonly pair: string }
  | { readonly pointer: string }
  | { readonly fields: readonly string[] };

/** How a signature is computed and compared. `token`: the signature is the secret itself, and signs nothing. */
export type Algorithm =
  | "hmac-sha1"
  | "hmac-sha256"
  | "hmac-sha512"
  | "ed25519"
  | "ecdsa-p256"
  | "token";

/**
 * How the key is written in a secret.
 *
 * - `text`: the key is the UTF-8 bytes of the secret.
 * - `hex`, `base64`: the key is the decoded secret.
 * - `whsec`: base64, optionally after `whsec_`; after `whpk_` an Ed25519 public key.
 * - `ed25519-hex`, `ed25519-base64`: an Ed25519 public key, 32 bytes.
 * - `spki`: a public key, SPKI in base64 or PEM.
 */
export interface SecretFormat {
  readonly format:
    | "text"
    | "hex"
    | "base64"
    | "whsec"
    | "ed25519-hex"
    | "ed25519-base64"
    | "spki";
  /** Limits of the key in bytes. */
  readonly minBytes: number;
  readonly maxBytes?: number;
}

/**
 * How signatures are written in their header or JSON string. With `headers`, each of these headers has one signature.
 *
 * - `raw`: one signature, after `prefix` if there is one.
 * - `pairs`: `key=value` pairs; each value of `key` is a signature, after `prefix` if there is one.
 * - `list`: `version,signature` items separated by spaces. `versions` maps each version to its algorithm.
 */
export interface SignatureFormat {
  readonly from:
    | { readonly header: string }
    | { readonly headers: readonly string[] }
    | { readonly pointer: string };
  readonly syntax:
    | { readonly kind: "raw"; readonly prefix?: string }
    | {
        readonly kind: "pairs";
        readonly separator: "," | ";";
        readonly key: string;
      }
    | {
        readonly kind: "list";
        readonly versions: Readonly<Record<string, Algorithm>>;
      };
  /** `text`: the signature is compared as text, for tokens. */
  readonly encoding: "hex" | "base64" | "text";
}

export interface TimestampFormat {
  readonly from: Place;
  readonly unit: "s" | "ms" | "rfc3339";
  /** The default replay window, both ways. */
  readonly windowSeconds: number;
}

export interface IdFormat {
  /** Null: the sender has no id; the SHA-256 of the body takes its place. */
  readonly from: Place | null;
  /** Whether the signature covers the id. An id that is not signed is never trusted to be unique. */
  readonly isSigned: boolean;
  /** Whether `:` and 12 hex digits of the body's SHA-256 are appended, because the sender uses one id for several messages. */
  readonly withDigest?: boolean;
  /** Whether a message without an id is rejected. Otherwise the SHA-256 of its body is its id. */
  readonly isRequired?: boolean;
}

export interface TypeFormat {
  /** The first place that has a type counts. */
  readonly from: readonly Place[];
  /** Whether a message without a type is rejected. Otherwise its type is `event`. */
  readonly isRequired?: boolean;
}

export type MediaType = "json" | "form";

export type HandshakeName =
  | "slack"
  | "zoom"
  | "discord"
  | "twitch"
  | "meta"
  | "intercom"
  | "woocommerce"
  | "notion";

/** A signature scheme: which parts of a request carry the signature, and what it covers. */
export interface Scheme {
  readonly name: string;
  /** Alternatives for the `*` in header names. The first one whose signature header is present applies to all. */
  readonly prefixes?: readonly string[];
  readonly algorithm: Algorithm;
  readonly secret: SecretFormat;
  readonly signature: SignatureFormat;
  /**
   * The signed bytes: literal text, `{id}`, `{timestamp}`, `{body}`, `{method}`, `{url}` (the public URL with the query of the
   * request) and `{decoded_url}` (the same, with HubSpot's list of characters decoded). The id and the timestamp are signed as
   * received. `twilio`: built by Twilio's rules. A `token` signs nothing; here `{body}` makes replays recognisable.
   */
  readonly signed: string | { readonly rules: "twilio" };
  /** Null: the scheme signs no time. */
  readonly timestamp: TimestampFormat | null;
  readonly id: IdFormat;
  readonly type: TypeFormat;
  readonly media: readonly MediaType[];
  /**
   * The default of `onReplay`. Many senders retry with identical bytes and treat a 409 as a failure, so it is `acknowledge`
   * unless the sender signs each attempt separately.
   */
  readonly onReplay: "reject" | "acknowledge";
  readonly handshake?: HandshakeName;
  /** The largest body by default, if MAX_BODY_BYTES is larger. For a scheme whose signature is in the body, which is read first. */
  readonly maxBodyBytes?: number;
  /** Whether the sender accepts only responses without a body. */
  readonly wantsEmptyResponses?: boolean;
}
