import type {
  AttemptResult,
  DeliveryState,
  DeliveryStateName,
  NewDelivery,
} from "../domain/delivery.ts";
import type { Destination, RateLimit, Route } from "../domain/destination.ts";
import type { NewEvent, ReplayClaim } from "../domain/event.ts";
import type { AuditDraft } from "../audit/entry.ts";
import type { WebhookRequest } from "../audit/webhook-entries.ts";

export type { StoredEntry } from "../audit/stored-entry.ts";

/* Everything a store takes and returns is plain data, so that it can be sent to another thread. */

/** A verified message, with everything that is stored together with it. */
export interface EventRecord {
  readonly event: NewEvent;
  readonly deliveries: readonly NewDelivery[];
  readonly claim: ReplayClaim;
  /** The other facts for the audit entry. */
  readonly request: WebhookRequest & {
    readonly keyId: string;
    /** The difference between the signed time and this clock; undefined for a scheme that signs no time. */
    readonly skewSeconds: number | undefined;
  };
}

/** The outcome of one attempt. */
export interface Settlement {
  readonly deliveryId: number;
  /**
   * The attempt that the lease was taken for. If the delivery was claimed again since then, the settlement has no effect.
   */
  readonly attempt: number;
  readonly endedAt: number;
  readonly result: AttemptResult;
  readonly next: DeliveryState;
  readonly entry: AuditDraft;
  /** The pause that the destination requested for all its attempts, if any. */
  readonly pause?: RequestedPause | undefined;
}

/** A pause that a destination requested. Its audit entry is written only if the destination was not already paused. */
export interface RequestedPause {
  readonly destination: string;
  readonly at: number;
  readonly until: number;
  readonly entry: AuditDraft;
}

/** One step of exhausting the deliveries of a destination that have been pending for too long. */
export interface ExpireRequest {
  readonly destination: string;
  readonly now: number;
  /** Deliveries that became pending before this time are exhausted. */
  readonly pendingBefore: number;
  /** The deliveries that the caller is attempting now. */
  readonly holding: ReadonlySet<number>;
}

export interface ClaimRequest {
  readonly destination: string;
  /** The start of the attempts, by the wall clock. A lease has ended if its end is not after this time. */
  readonly now: number;
  /**
   * Deliveries that are due at or before this time are claimed. It is `now`, or later if the process's wall clock was set
   * back.
   */
  readonly dueUntil: number;
  readonly limit: number;
  /**
   * The maximum number of attempts in flight on the destination, over all processes. A store that is not shared ignores it,
   * because its only worker keeps to it.
   */
  readonly concurrency: number;
  /** Limits the attempts on the destination over all processes; null = no limit. Ignored like `concurrency`. */
  readonly rateLimit: RateLimit | null;
  readonly leaseUntil: number;
  /** The deliveries that the caller is attempting now. If their leases end meanwhile, their attempts are not lost. */
  readonly holding: ReadonlySet<number>;
  /**
   * How to claim deliveries whose process died during an attempt (crashed). `any`: like all others. `none`: do not claim
   * them. `once`: claim at most one that has crashed once, before the others. `repeatedly`: claim only one that has crashed
   * at least twice; if there is none, like `once`.
   */
  readonly crashed: "any" | "none" | "once" | "repeatedly";
  /**
   * For a probe of the circuit breaker: the numbers of the events of earlier probes. The claim takes the newest due event
   * that was not a probe before, preferably of another source or type. Null: the claim is not a probe, and takes the
   * deliveries that were due first.
   */
  readonly probed: readonly number[] | null;
  /** The kind of the destination. It decides the next state of a delivery whose attempt was lost. */
  readonly kind: Destination["kind"];
}

/** The latest times that pending deliveries of a destination may wait for, in unix milliseconds. */
export interface DueTimeLimits {
  readonly destination: string;
  /** The limit for a delivery without a failed attempt. */
  readonly now: number;
  /** The limit for a delivery that waits for a retry. */
  readonly retryUntil: number;
  /** The limit for the end of a lease. */
  readonly leaseUntil: number;
}

/** Which events to return. Null members do not restrict the result. */
export interface EventFilter {
  /** Events that have a delivery in this state. */
  readonly state: DeliveryStateName | null;
  /** Events that have a delivery to this destination; with `state`, one that is in that state. */
  readonly destination: string | null;
  readonly source: string | null;
  /** The type, with `*` for any characters. */
  readonly type: string | null;
  /** Events received at this time or later. */
  readonly since: number | null;
  /** Events received at this time or earlier, as in a search of the trail. */
  readonly until: number | null;
  /** Only events without any delivery. */
  readonly unrouted?: boolean;
}

export interface EventScan {
  readonly filter: EventFilter;
  readonly order: "newest" | "oldest";
  /** The `next` of the previous scan; null = from the beginning. */
  readonly from: number | null;
  readonly limit: number;
}

/**
 * The outcome of a redelivery, for each delivery. `in_flight`: an attempt is in flight, or another delivery with its order
 * key comes first. `destination_gone`: its destination is not configured any more.
 */
export type RedeliveryOutcome =
  "redelivered" | "in_flight" | "destination_gone" | "unknown";

/** A delivery to create for a stored event. */
export interface AddedDelivery extends NewDelivery {
  readonly eventSeq: number;
}

/** The outcome of discarding, for each delivery. `ended`: it is neither pending nor exhausted. */
export type DiscardOutcome = "discarded" | "in_flight" | "ended" | "unknown";

/** The status of a destination that a process run publishes. Optional members are absent in a row of an older version. */
export interface PublishedDestination extends Route {
  readonly kind: Destination["kind"];
  readonly breaker: "closed" | "open" | "half-open";
  /** Unix milliseconds of the next probe while the breaker is not closed. */
  readonly probeAt: number | null;
  /** Whether its rate limit delays attempts now. */
  readonly isRateLimited: boolean;
  /** The address to show, without secrets: the origin of its URL. */
  readonly place?: string;
  readonly concurrency?: number;
  /** The number of attempts of this process in flight. */
  readonly inFlight?: number;
  /** The number of failed attempts of this process since the last success. */
  readonly failures?: number;
  /** When the rate limit allows the next attempt, in unix milliseconds; null = now. */
  readonly rateLimitedUntil?: number | null;
}

/** A secret of a source that a process run publishes, without its value. */
export interface PublishedSecret {
  /** Where it is configured, such as `HEX_SECRET`. */
  readonly name: string;
  readonly keyId: string;
  /** A public key has no age limit. */
  readonly isPublic: boolean;
  /** Unix milliseconds; null = unknown. */
  readonly createdAt: number | null;
  /** Unix milliseconds; null = never. */
  readonly expiresAt: number | null;
}

export interface PublishedSource {
  readonly name: string;
  readonly scheme: string;
  readonly isDisabled: boolean;
  /** The first one is the current secret. */
  readonly secrets: readonly PublishedSecret[];
}

/** A sink that a process run feeds. */
export interface PublishedSink {
  readonly name: string;
  /** The number of entries that the sink has not accepted yet. */
  readonly lag: number;
  /** When the sink stopped accepting entries, in unix milliseconds; null = no failure is reported. */
  readonly degradedSince: number | null;
}

/** How many requests of each outcome a process run has responded to in the last minute. */
export interface RecentRequests {
  readonly accepted: number;
  /** Duplicates and replays. */
  readonly repeated: number;
  readonly rejected: number;
}

/** The facts that a process run publishes about itself. */
export interface PublishedService {
  readonly version: string;
  /** Unix milliseconds. */
  readonly startedAt: number;
  /**
   * `unavailable`: the store or the audit trail fails, so `/readyz` responds 503. `stopped`: the process run has ended in order.
   */
  readonly readiness: "ready" | "draining" | "unavailable" | "stopped";
  readonly lastMinute: RecentRequests;
  readonly sources: readonly PublishedSource[];
  readonly sinks: readonly PublishedSink[];
}

/** What a process run publishes to the store for commands and other processes. */
export interface PublishedState {
  readonly destinations: readonly PublishedDestination[];
  readonly service: PublishedService;
}

/** The state that a process run published last. */
export interface ProcessStatus {
  readonly writer: string;
  readonly publishedAt: number;
  readonly destinations: readonly PublishedDestination[];
  /** Null in a row of an older version, which publishes only destinations. */
  readonly service: PublishedService | null;
}

/** The position of a sink in the trail. */
export interface SinkPosition {
  /** The sink has accepted all entries up to here. */
  readonly position: number;
  /**
   * The sink may have received the entries up to here. The entries after `position` are sent again together, with the same
   * idempotency key.
   */
  readonly sending: number;
  /** When the sink stopped accepting entries (unix milliseconds); null = no failure is reported. */
  readonly degradedSince: number | null;
}

/** A sink that a process on the store feeds or has fed. */
export interface SavedSink extends Pick<SinkPosition, "position"> {
  readonly name: string;
  readonly savedAt: number;
}

export interface AuditPurgeRequest {
  /**
   * Entries before this time (unix milliseconds) may be deleted. The entries of each writer are deleted up to one of its
   * checkpoints.
   */
  readonly before: number;
  /** Entries after this position stay, because a sink still needs them. */
  readonly upTo: number;
  /** The `next` of the previous step; 0 = from the oldest entry, including writers that an earlier sweep skipped. */
  readonly from: number;
  /** The maximum number of entries to examine. */
  readonly limit: number;
}

export interface PurgeRequest {
  readonly now: number;
  /** Events received before this time are deleted, unless one of their deliveries is pending. */
  readonly receivedBefore: number;
  /** The `next` of the previous step; null = from the oldest event. */
  readonly from: number | null;
}

/** How many deliveries of a destination are pending and exhausted. 10,000 means 10,000 or more. */
export interface DeliveryCounts {
  readonly destination: string;
  readonly pending: number;
  readonly exhausted: number;
}

/** The pending deliveries of a destination. */
export interface DestinationGauge {
  readonly destination: string;
  /** The exact number. */
  readonly pending: number;
  /** When the oldest one became pending (unix milliseconds); null = none is pending, or unknown. */
  readonly oldestPendingSince: number | null;
}

/** When a key of a source last signed a message that was accepted. */
export interface KeyUse {
  readonly source: string;
  readonly keyId: string;
  /** Unix milliseconds. */
  readonly at: number;
}

/** The size of a store, in bytes. */
export interface StoreBytes {
  readonly database: number;
  /** The write-ahead log; null = the database server keeps it. */
  readonly log: number | null;
  /** The free space of the file system; null = the store is on a database server. */
  readonly free: number | null;
}

export interface PausedDestination {
  readonly name: string;
  readonly pausedAt: number;
  /** The operator's name, or `system`. */
  readonly pausedBy: string;
  /** When the pause ends automatically; null = when an operator resumes the destination. */
  readonly pausedUntil: number | null;
}

/** One step of a search for lines that contain all of the given texts. */
export interface AuditSearch {
  readonly order: "newest" | "oldest";
  /** The `next` of the previous step; null = from the newest or oldest entry. */
  readonly from: number | null;
  readonly limit: number;
  /** At most four texts, encoded as in the lines. */
  readonly containing: readonly string[];
}
