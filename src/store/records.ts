import type {
  AttemptResult,
  DeliveryState,
  DeliveryStateName,
  NewDelivery,
} from "../domain/delivery.ts";
import type { Destination, Route } from "../domain/destination.ts";
import type { NewEvent, ReplayClaim } from "../domain/event.ts";
import type { AuditDraft } from "../audit/entry.ts";
import type { WebhookRequest } from "../audit/webhook-entries.ts";

export type { StoredEntry } from "../audit/stored-entry.ts";

/* Everything a store takes and returns is plain data, so that it can be sent to another thread. */

/** One verified message with everything that is written beside it. */
export interface EventRecord {
  readonly event: NewEvent;
  readonly deliveries: readonly NewDelivery[];
  readonly claim: ReplayClaim;
  /** What its audit entry tells beside the event. */
  readonly request: WebhookRequest & {
    readonly keyId: string;
    /** How far the signed time is from this clock; undefined for a scheme that signs none. */
    readonly skewSeconds: number | undefined;
  };
}

/** The end of one attempt. */
export interface Settlement {
  readonly deliveryId: number;
  /** The attempt that the lease was taken for; a later claim makes it void. */
  readonly attempt: number;
  readonly endedAt: number;
  readonly result: AttemptResult;
  readonly next: DeliveryState;
  readonly entry: AuditDraft;
  /** The destination asked for a pause of all its attempts; left out: it did not. */
  readonly pause?: RequestedPause | undefined;
}

/** A pause that a destination asked for. Its entry is written when the destination was not paused. */
export interface RequestedPause {
  readonly destination: string;
  readonly at: number;
  readonly until: number;
  readonly entry: AuditDraft;
}

/** One step of giving up the deliveries of a destination that have been pending for too long. */
export interface ExpireRequest {
  readonly destination: string;
  readonly now: number;
  /** Those that are pending since before this time. */
  readonly pendingBefore: number;
  /** Deliveries that the claimant is attempting right now. */
  readonly holding: ReadonlySet<number>;
}

export interface ClaimRequest {
  readonly destination: string;
  /** When the attempts start, and until when a lease must have ended, by the wall clock. */
  readonly now: number;
  /** What is due until then is taken: `now`, or later in a process whose wall clock has stepped back. */
  readonly dueUntil: number;
  readonly limit: number;
  readonly leaseUntil: number;
  /** Deliveries that the claimant is attempting right now: their leases may lapse while it is held up, but it lives. */
  readonly holding: ReadonlySet<number>;
  /**
   * Which deliveries during whose attempts the process has died: `any`: all of them, as any others; `none`: none of them;
   * `once`: at most one that has crashed once, before the others; `repeatedly`: one that has crashed at least twice, alone;
   * if there is none, as `once`.
   */
  readonly crashed: "any" | "none" | "once" | "repeatedly";
  /**
   * The numbers of events that were probes of the circuit breaker before: the newest due event that was none is taken,
   * preferably of another source or type than they are. Null for a claim that is no probe: the oldest due ones are taken.
   */
  readonly probed: readonly number[] | null;
  /** Of the destination: it decides what becomes of a delivery whose attempt was lost. */
  readonly kind: Destination["kind"];
}

/** Until when what is pending for a destination may have to wait at most. Times in unix milliseconds. */
export interface DueTimeLimits {
  readonly destination: string;
  /** What waits for no retry is due by now. */
  readonly now: number;
  readonly retryUntil: number;
  readonly leaseUntil: number;
}

/** Which events; what is null does not restrict. */
export interface EventFilter {
  /** With a delivery in this state. */
  readonly state: DeliveryStateName | null;
  /** With a delivery to this destination. With `state`: with one to it in that state. */
  readonly destination: string | null;
  readonly source: string | null;
  /** The type, in which `*` stands for any characters. */
  readonly type: string | null;
  /** Received at this time or later. */
  readonly since: number | null;
  /** Whether only events without any delivery are meant. */
  readonly unrouted?: boolean;
}

export interface EventScan {
  readonly filter: EventFilter;
  readonly order: "newest" | "oldest";
  /** Where an earlier scan left off; null = from the beginning. */
  readonly from: number | null;
  readonly limit: number;
}

/**
 * What a redelivery did, by delivery. `under_way`: an attempt is in flight, or another delivery with its key goes first;
 * `destination_gone`: its destination is not one of those given.
 */
export type RedeliveryOutcome =
  "redelivered" | "under_way" | "destination_gone" | "unknown";

/** A delivery to make for an event that is stored. */
export interface AddedDelivery extends NewDelivery {
  readonly eventSeq: number;
}

/** What discarding did, by delivery. `ended`: it is neither pending nor exhausted. */
export type DiscardOutcome = "discarded" | "in_flight" | "ended" | "unknown";

/** What a process run says of a destination that it serves. */
export interface PublishedDestination extends Route {
  readonly kind: Destination["kind"];
  readonly breaker: "closed" | "open" | "half-open";
  /** Unix milliseconds of the next probe while the breaker is not closed. */
  readonly probeAt: number | null;
  /** Whether its rate limit holds attempts back now. */
  readonly isRateLimited: boolean;
}

/** What a process run last said of all of them. */
export interface ProcessStatus {
  readonly writer: string;
  readonly publishedAt: number;
  readonly destinations: readonly PublishedDestination[];
}

/** How far a sink of the trail has come. */
export interface SinkPosition {
  /** Everything up to here was taken. */
  readonly position: number;
  /** Up to here it may have been: what lies between is handed over again as it was, under the same key. */
  readonly sending: number;
  /** Since when it takes none, as the trail tells (unix milliseconds); null = it takes them. */
  readonly degradedSince: number | null;
}

/** A sink that some process on the store feeds, or fed. */
export interface NotedSink extends Pick<SinkPosition, "position"> {
  readonly name: string;
  readonly savedAt: number;
}

export interface AuditPurgeRequest {
  /** Entries before this time (unix milliseconds) go, each writer's up to one of its checkpoints. */
  readonly before: number;
  /** Nothing after this position goes: a sink has not had it yet. */
  readonly upTo: number;
  /** Where the step before left off; 0 = from the oldest, writers that were left out included. */
  readonly from: number;
  /** Maximum number of entries to look at. */
  readonly limit: number;
}

export interface PurgeRequest {
  readonly now: number;
  /** Events received before this time go, unless something of them is still to be delivered. */
  readonly receivedBefore: number;
  /** Where the step before left off; null = from the oldest. */
  readonly from: number | null;
}

/** How many deliveries of a destination there are; 10,000 means that many or more. */
export interface DeliveryCounts {
  readonly destination: string;
  readonly pending: number;
  readonly exhausted: number;
}

export interface PausedDestination {
  readonly name: string;
  readonly pausedAt: number;
  /** The operator's name, or `system`. */
  readonly pausedBy: string;
  /** When it ends by itself; null = an operator resumes it. */
  readonly pausedUntil: number | null;
}

/** A walk over the trail for lines that contain some texts, as they are written there. */
export interface AuditSearch {
  readonly order: "newest" | "oldest";
  /** Where an earlier step left off; null = from that end. */
  readonly from: number | null;
  readonly limit: number;
  /** At most four; all must be in the line. */
  readonly containing: readonly string[];
}
