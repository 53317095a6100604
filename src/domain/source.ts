/** A secret that signatures of a source are verified with. `keyId` may be shown; `key` never. */
export interface SigningSecret {
  /** Where it is configured, such as `HEX_SECRET`. */
  readonly name: string;
  readonly keyId: string;
  readonly key: Buffer;
  /** The day it was made, as far as that is known. */
  readonly createdAt: number | null;
  /** From this instant on the secret is refused (rotation overlap); null = no end. */
  readonly expiresAt: number | null;
}

/** A configured sender. `scheme` names its one signature scheme. */
export interface Source {
  readonly name: string;
  readonly scheme: string;
  readonly secrets: readonly SigningSecret[];
  /** The answer to a request that was seen before inside its replay window. */
  readonly onReplay: "reject" | "acknowledge";
}
