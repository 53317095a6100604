/* All times are unix milliseconds, except where a comment says seconds. */

/** One verified message. `body` is the exact bytes that were signed. */
interface Message {
  readonly source: string;
  readonly id: string;
  readonly type: string;
  readonly receivedAt: number;
  readonly contentType: string;
  /** JSON object of lower-case header names and values, without credentials and signatures. */
  readonly headers: string;
  readonly body: Buffer;
}

/** One verified message, ready to be stored. */
export interface NewEvent extends Message {
  /**
   * Whether `id` is the idempotency key. False: the signature does not cover the id, so the SHA-256 of the body is the key.
   * That also applies to a message without an id whose scheme does not sign ids.
   */
  readonly idSigned: boolean;
}

/** One verified message as it was stored. */
export interface StoredEvent extends Message {
  readonly seq: number;
}

/** What the replay guard stores for a verified request. */
export interface ReplayClaim {
  /** Unix seconds; null for a scheme that signs no time, whose claims are kept as long as the event. */
  readonly signedAt: number | null;
  readonly replayKey: Buffer;
  /**
   * Whether two requests with this replay key have the same idempotency key. False for a signature that does not cover the
   * exact message: an attacker can change the body or the id of a captured request within what the signature allows.
   */
  readonly coversKey: boolean;
  /** The names of the other sources with the same secret. A request that one of them has recorded is a replay. */
  readonly sharedWith: readonly string[];
}

/** What a store has decided about a verified message. */
export interface Recorded {
  readonly outcome: RecordOutcome;
  /**
   * The id of the stored event: the new one, or the earlier one with the same idempotency key. It may differ from the id of the
   * message if that id is not signed.
   */
  readonly id: string;
}

/** The outcome for a verified message, decided by the unique keys of the store. */
export type RecordOutcome =
  | "accepted"
  | "duplicate"
  | "replayed"
  | "conflict"
  /** A replay of a conflict: nothing of this body was ever stored. */
  | "replayed_conflict";
