import type { KeyObject } from "node:crypto";
import type { Algorithm, Scheme } from "./scheme.ts";

/* All times are unix milliseconds, except where a comment says seconds. */

/** A secret that verifies signatures of a source. `keyId` may be shown; `text`, `key` and `publicKey` never. */
export interface SigningSecret {
  /** Where it is configured, such as `HEX_SECRET`. */
  readonly name: string;
  readonly keyId: string;
  /** The secret as configured. */
  readonly text: string;
  /** It verifies only signatures of this algorithm. */
  readonly algorithm: Algorithm;
  /** The decoded key; of a public key its encoded bytes. */
  readonly key: Buffer;
  /** Null for a symmetric key. */
  readonly publicKey: KeyObject | null;
  /** When it was created; null = unknown. */
  readonly createdAt: number | null;
  /** The secret is rejected from this time on, when the overlap of a rotation ends; null = never. */
  readonly expiresAt: number | null;
}

/** A configured sender, with its only signature scheme. */
export interface Source {
  readonly name: string;
  readonly scheme: Scheme;
  /** The first one is the current secret. */
  readonly secrets: readonly SigningSecret[];
  /** How to respond to a replay: reject it, or acknowledge it like a duplicate. */
  readonly onReplay: "reject" | "acknowledge";
  /** The largest difference between the signed time and this clock, both ways. Of no effect if the scheme signs no time. */
  readonly replayWindowSeconds: number;
  /** The URL that the sender calls, without a query; null = not configured. Only schemes that sign the URL need it. */
  readonly publicUrl: string | null;
  /** Addresses and networks that may send; null = any. */
  readonly allowFrom: readonly string[] | null;
  readonly maxBodyBytes: number;
  /** The accepted media types; null = those of the scheme. */
  readonly mediaTypes: readonly string[] | null;
  /** A disabled source responds as an unknown one. */
  readonly isDisabled: boolean;
  /** The secret that the sender repeats in a handshake; null = the handshake has none, or it is not configured. */
  readonly verifyToken: SigningSecret | null;
  /** Names of the other sources that have a secret of this one. The replay guard spans them. */
  readonly sharesSecretWith: readonly string[];
}
