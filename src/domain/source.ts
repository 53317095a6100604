/* All times are unix milliseconds. */

/** A secret that verifies signatures of a source. `keyId` may be shown; `key` never. */
export interface SigningSecret {
  /** Where it is configured, such as `HEX_SECRET`. */
  readonly name: string;
  readonly keyId: string;
  readonly key: Buffer;
  /** When it was created; null = unknown. */
  readonly createdAt: number | null;
  /** The secret is rejected from this time on, when the overlap of a rotation ends; null = never. */
  readonly expiresAt: number | null;
}

/** A configured sender. `scheme` is the name of its only signature scheme. */
export interface Source {
  readonly name: string;
  readonly scheme: string;
  readonly secrets: readonly SigningSecret[];
  /** How to respond to a replay: reject it, or acknowledge it like a duplicate. */
  readonly onReplay: "reject" | "acknowledge";
}
