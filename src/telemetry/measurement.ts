import type { ProblemCode } from "../errors.ts";

/** The outcome of a request to the public listener. `replayed`: also a replay that was acknowledged. */
export type RequestOutcome =
  "accepted" | "duplicate" | "replayed" | "handshake" | ProblemCode;

/** `exhausted`: failed, and the delivery gets no further attempt. */
export type AttemptOutcome = "succeeded" | "failed" | "exhausted";

/**
 * The happenings of normal operation. They are counted and timed, and never logged, because there can be thousands a
 * second.
 */
export type Measurement =
  | {
      /** The public listener has responded to a request other than a health check. */
      readonly type: "request.responded";
      /** The configured source; null = the request belongs to none. */
      readonly source: string | null;
      readonly outcome: RequestOutcome;
      /** From the complete header block to the response; null = the input could not be read as a request. */
      readonly durationMs: number | null;
      /** The key that signed the message; undefined = it was not verified. */
      readonly keyId?: string | undefined;
      /** As in the audit trail; undefined = the message was not verified, or its scheme signs no time. */
      readonly skewSeconds?: number | undefined;
    }
  | {
      /** An attempt has ended. Attempts that a shutdown cut off are not reported. */
      readonly type: "attempt.ended";
      readonly destination: string;
      readonly result: AttemptOutcome;
      readonly durationMs: number;
    }
  | {
      /** A transaction of the store is durable. */
      readonly type: "store.committed";
      /** The number of messages that it recorded. */
      readonly records: number;
      /** From the beginning of the transaction until it is durable. */
      readonly durationMs: number;
      /** The audit entries that it wrote. */
      readonly entries: readonly { readonly line: string }[];
    }
  /** Audit entries were counted instead of written. */
  | { readonly type: "audit.suppressed"; readonly count: number };

export const MEASUREMENT_TYPES: ReadonlySet<string> = new Set<
  Measurement["type"]
>([
  "request.responded",
  "attempt.ended",
  "store.committed",
  "audit.suppressed",
]);
