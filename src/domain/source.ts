/* All times are unix milliseconds. */

/** A secret that verifies signatures of a source. `keyId` may be shown; `key` never. */
export interface SigningSecret {
  /** Where it is configured, such as `HEX_SECRET`. */
  readonly name: string;
  readonly keyId: string;
  readonly key: Buffer;
  /** When it was created; null = unknown. */
  readonly createdAt: number | null;
  /** From this time on the secret is rejected (rotation overlap); null = never. */
  readonly expiresAt: number | null;
}

/** A configured sender. `scheme` is the name of its only signature scheme. */
export interface Source {
  readonly name: string;
  readonly scheme: string;
  readonly secrets: readonly SigningSecret[];
  /** The response to a request that was seen before inside its replay window. */
  readonly onReplay: "reject" | "acknowledge";
}
