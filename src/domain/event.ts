/* All times are unix milliseconds, except where a comment says seconds. */

/** One verified message, ready to be stored. `body` is the exact bytes that were signed. */
export interface NewEvent {
  readonly source: string;
  readonly id: string;
  readonly type: string;
  readonly receivedAt: number;
  readonly contentType: string;
  /** JSON object of lower-case header names and values, without credentials and signatures. */
  readonly headers: string;
  readonly body: Buffer;
}

/** One verified message as it was stored. */
export interface StoredEvent extends NewEvent {
  readonly seq: number;
}

/**
 * What the replay guard stores for a verified request. The replay key must cover the event id, so that two requests with the
 * same key have the same event id.
 */
export interface ReplayClaim {
  /** Unix seconds; null for a scheme that signs no time, whose claims are kept as long as the event. */
  readonly signedAt: number | null;
  readonly replayKey: Buffer;
}

/** The outcome for a verified message, decided by the unique keys of the store. */
export type RecordOutcome =
  | "accepted"
  | "duplicate"
  | "replayed"
  | "conflict"
  /** A replay of a conflict: nothing of this body was ever stored. */
  | "replayed_conflict";
