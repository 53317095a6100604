import { type AuditDraft } from "./audit-entry.ts";
import { type ChainHead } from "./audit-chain.ts";
import {
  type ClaimedDelivery,
  type DeliveryState,
  type NewEvent,
  type RecordOutcome,
  type ReplayClaim,
} from "./model.ts";

/** One verified message with everything that is written beside it. */
export interface EventRecord {
  readonly event: NewEvent;
  /** Names of the destinations that the event is to be brought to. */
  readonly destinations: readonly string[];
  readonly claim: ReplayClaim;
  /** The entry for what the unique keys decided. */
  readonly entry: (outcome: RecordOutcome) => AuditDraft;
}

/** The end of one attempt. */
export interface Settlement {
  readonly deliveryId: number;
  /** The attempt that the lease was taken for; a later claim makes it void. */
  readonly attempt: number;
  readonly next: DeliveryState;
  readonly entry: AuditDraft;
}

export interface ClaimRequest {
  readonly destination: string;
  readonly now: number;
  readonly limit: number;
  readonly leaseUntil: number;
}

/** An entry as the store keeps it; `position` grows in the order of commits, over all writers. */
export interface AuditRow {
  readonly position: number;
  readonly writer: string;
  readonly line: string;
}

/** Reading the trail needs no more than this. */
export interface AuditReader {
  /** Up to `limit` entries behind `position`, in order. */
  readAudit: (position: number, limit: number) => Promise<readonly AuditRow[]>;
  /** The position of the last entry; 0 when there is none. */
  lastPosition: () => Promise<number>;
  /** The last entry of each writer, newest writer first, as the store notes it beside the trail. */
  heads: () => Promise<readonly ChainHead[]>;
  close: () => Promise<void>;
}

/**
 * What the core needs of a store. Every promise that resolves means: durable on disk. Every method rejects with
 * `StoreError` and has then written nothing; after a fatal one every later call rejects too.
 */
export interface Store extends AuditReader {
  /**
   * ATOMIC: replay claim, event, deliveries and audit entry. A claim that is there already makes the message
   * `replayed`; else a known (source, id) makes it `duplicate` when the body is the same and `conflict` when not;
   * else it is `accepted`, and only then an event and its deliveries are written. Whatever is not `replayed` claims.
   */
  record: (record: EventRecord) => Promise<RecordOutcome>;
  /** Writes one audit entry. */
  append: (draft: AuditDraft) => Promise<void>;
  /**
   * ATOMIC: takes due deliveries of a destination under a lease and counts the attempt, before it starts. A
   * delivery whose lease has ended is due again.
   */
  claim: (request: ClaimRequest) => Promise<readonly ClaimedDelivery[]>;
  /** ATOMIC: next state and audit entry, unless the lease was lost: then nothing is written and it says false. */
  settle: (settlement: Settlement) => Promise<boolean>;
  /** Gives a claimed delivery back unsettled, due at once, unless the lease was lost. */
  release: (deliveryId: number, attempt: number, now: number) => Promise<void>;
  /** When the next delivery of a destination is due or its lease ends; null when none is pending. */
  nextDueAt: (destination: string) => Promise<number | null>;
  /** Drops replay claims signed before `signedBefore` (unix seconds), at most `limit` of them. */
  forgetReplays: (signedBefore: number, limit: number) => Promise<number>;
  /** Proves that a write gets through and that the trail ends where this writer left it. */
  probe: () => Promise<void>;
}
