/** A request to an endpoint, and what was decided about it. */
export interface Received {
  /** Counts the requests from 1. */
  readonly n: number;
  /** Unix milliseconds. */
  readonly at: number;
  readonly source: string;
  readonly method: string;
  /** Without the query, which can contain secrets. */
  readonly path: string;
  readonly ip: string;
  readonly contentType: string | undefined;
  /** The headers of the message, without credentials and signatures, by lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** Such as `accepted`, `duplicate`, `handshake`, or the reason of a rejection. */
  readonly verdict: string;
  readonly isGood: boolean;
  /** Null: the request was not verified. */
  readonly event: {
    readonly id: string;
    readonly type: string;
    readonly keyId: string;
    readonly skewSeconds: number | undefined;
  } | null;
  /** The signing secret that the sender has just issued; null: it has issued none. Shown, but never logged. */
  readonly verificationToken: string | null;
  /** What may have gone wrong and how to fix it. One sentence each. */
  readonly hints: readonly string[];
}
