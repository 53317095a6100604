import type { KeyObject } from "node:crypto";
import type { ChainHead, EntryPlace } from "../audit/chain.ts";
import type { AuditDraft } from "../audit/entry.ts";
import type { Purged } from "../audit/retention-entries.ts";
import type { ClaimedDelivery, FailedAttempt } from "../domain/delivery.ts";
import type { EventDetail, EventStatus } from "../domain/event-status.ts";
import type { Recorded } from "../domain/event.ts";
import type { StoreError } from "../errors.ts";
import type {
  EventRecord,
  Settlement,
  ClaimRequest,
  DueTimeLimits,
  ExpireRequest,
  EventScan,
  RedeliveryOutcome,
  SinkPosition,
  SavedSink,
  AuditPurgeRequest,
  PurgeRequest,
  DeliveryCounts,
  PausedDestination,
  StoredEntry,
  AuditSearch,
  AddedDelivery,
  DiscardOutcome,
  ProcessStatus,
  PublishedState,
  DestinationGauge,
  KeyUse,
  StoreBytes,
} from "./records.ts";

/** Reads the audit trail. */
export interface AuditReader {
  /** Returns up to `limit` entries after `position`, in order. `writer`: only the entries of this writer. */
  readAudit: (
    position: number,
    limit: number,
    writer?: string,
  ) => Promise<readonly StoredEntry[]>;
  /** Returns the position of the last entry; 0 = the trail is empty. */
  lastPosition: () => Promise<number>;
  /** Returns the last entry of each writer from the heads table, newest writer first. */
  heads: () => Promise<readonly ChainHead[]>;
  /**
   * Examines a bounded number of entries and returns those that contain the texts. `next`: where the search resumes; null =
   * it is complete. A result with fewer than `limit` entries, or none, does not mean that it is complete.
   */
  searchAudit: (search: AuditSearch) => Promise<{
    readonly rows: readonly StoredEntry[];
    readonly next: number | null;
  }>;
  /**
   * Returns a position before all entries since a time (unix milliseconds). It uses a binary search, as positions increase
   * with time. It stays correct if a clock was set back by up to an hour.
   */
  positionBefore: (at: number) => Promise<number>;
}

/** Reads events. The time of each step does not depend on the number of stored events. */
export interface EventReader {
  /**
   * Examines a bounded number of events and returns those that match. `next`: where the scan resumes; null = it is complete.
   * A result with fewer than `limit` events, or none, does not mean that it is complete.
   */
  scanEvents: (scan: EventScan) => Promise<{
    readonly events: readonly EventStatus[];
    readonly next: number | null;
  }>;
  /** Returns the events with this id, one for each source that has it. */
  findEvents: (id: string) => Promise<readonly EventDetail[]>;
  /** Returns the exact bytes of an event's body; null = no event has this number. */
  readBody: (seq: number) => Promise<Buffer | null>;
}

/** Reads the state of destinations. */
export interface DestinationReader {
  countDeliveries: () => Promise<readonly DeliveryCounts[]>;
  /** Returns the destinations with pending deliveries. Its time grows with their number, but not with that of the events. */
  destinationGauges: () => Promise<readonly DestinationGauge[]>;
  pausedDestinations: () => Promise<readonly PausedDestination[]>;
  /** Returns the status that each process run published last, newest first. */
  processStatuses: () => Promise<readonly ProcessStatus[]>;
}

/** Reads what shows the condition of the store itself. */
export interface ConditionReader {
  storeBytes: () => Promise<StoreBytes>;
  /** Returns the last use of each key that was used within a year. */
  lastUses: () => Promise<readonly KeyUse[]>;
  savedSinks: () => Promise<readonly SavedSink[]>;
}

/** Reads the stored events for a comparison with the trail. */
export interface EventDigests {
  /** Returns for each key the stored event, with the SHA-256 of its stored bytes in hex; null = it is not stored. */
  digestEvents: (
    keys: readonly { readonly source: string; readonly id: string }[],
  ) => Promise<
    readonly ({
      readonly seq: number;
      /** Unix milliseconds. */
      readonly receivedAt: number;
      readonly bodySha256: string;
    } | null)[]
  >;
  /** Returns up to `limit` events after the one with this number, in order. */
  listEvents: (
    after: number,
    limit: number,
  ) => Promise<
    readonly {
      readonly seq: number;
      readonly source: string;
      readonly id: string;
      readonly receivedAt: number;
    }[]
  >;
}

/** Reads a store, with or without a running service. */
export interface StoreReader
  extends
    AuditReader,
    EventReader,
    DestinationReader,
    ConditionReader,
    EventDigests {
  close: () => Promise<void>;
}

/** Stores events, and rejects replays of them. */
export interface EventStore extends EventReader {
  /**
   * ATOMIC: writes replay claim, event, deliveries and audit entry. The idempotency key is the id, or the SHA-256 of the body
   * if the id is not signed. The outcome is the first that applies:
   * - the claim exists, and the source or one of `sharedWith` has an event with the key: `replayed` if one of these events has
   *   the same body, else `replayed_conflict`. If the claim does not cover the key, its existence is enough;
   * - the source has an event with the key: `duplicate` if the body is the same, else `conflict`;
   * - otherwise: `accepted`. Only in this case are an event and its deliveries written. If another event of the source has an
   *   id that is not signed, `~` and 12 hex digits of the body's SHA-256 are appended to the id, until no event has it.
   *
   * A replay writes nothing, and the caller must write its audit entry. Every other outcome also writes the claim.
   */
  record: (record: EventRecord) => Promise<Recorded>;
  /**
   * One step of the event retention. Deletes some old events with their deliveries and attempts, and writes the audit entry,
   * atomically for every reader. A store may delete whole UTC days only: then the events of a day stay until all of the day
   * is before `receivedBefore`. `next` is only for the next call.
   */
  purge: (
    request: PurgeRequest,
  ) => Promise<{ readonly purged: Purged; readonly next: number | null }>;
  /**
   * Deletes replay claims signed before `signedBefore` (unix seconds), up to `limit`, or whole hours of them. Returns how
   * many claims or hours. If it is `limit`, there may be more.
   */
  forgetReplays: (signedBefore: number, limit: number) => Promise<number>;
}

/** The deliveries to make. */
export interface DeliveryQueue {
  /**
   * ATOMIC: takes due deliveries of a destination under a lease, and counts the attempts before they start. A delivery whose
   * lease has ended is due again; its lost attempt is recorded, with an audit entry.
   */
  claim: (request: ClaimRequest) => Promise<readonly ClaimedDelivery[]>;
  /** Reduces later due times and ends of leases to these limits. A clock that was ahead may have stored later times. */
  limitDueTimes: (limits: DueTimeLimits) => Promise<void>;
  /**
   * ATOMIC: exhausts a bounded number of deliveries that have been pending for too long, even if they are not due, each with
   * an audit entry. Deliveries with an attempt in flight are skipped. Returns how many; 0 = none are left.
   */
  expire: (request: ExpireRequest) => Promise<number>;
  /**
   * ATOMIC: writes attempt, next state and audit entry. If the destination requested a pause, it also starts the pause, with
   * an audit entry, or extends a pause that would end earlier. Returns false and writes nothing if the lease was lost.
   */
  settle: (settlement: Settlement) => Promise<boolean>;
  /**
   * Makes a claimed delivery due at once, without an outcome. The attempt does not count in the schedule. Does nothing if
   * the lease was lost.
   */
  release: (deliveryId: number, attempt: number, now: number) => Promise<void>;
  /** Whether a delivery is due during whose attempts the process has died at least twice. */
  isRepeatCrashDue: (
    request: Pick<ClaimRequest, "destination" | "now" | "dueUntil">,
  ) => Promise<boolean>;
  /** Returns when the next delivery of a destination is due or its lease ends; null = none is pending. */
  nextDueAt: (destination: string) => Promise<number | null>;
  countDeliveries: DestinationReader["countDeliveries"];
  /** ATOMIC: makes deliveries due at once, on a new schedule, each with an audit entry. */
  redeliver: (
    request: OperatorRequest & {
      /** The configured destinations. Undefined: deliveries to any destination are redelivered. */
      readonly destinations?: readonly string[];
    },
  ) => Promise<readonly RedeliveryOutcome[]>;
  /**
   * ATOMIC: creates deliveries for stored events, due at once or after others of their order key, each with an audit entry.
   * Returns whether each delivery was created: false = it already exists, or its event is no longer stored.
   */
  addDeliveries: (
    request: Omit<OperatorRequest, "deliveryIds"> & {
      readonly deliveries: readonly AddedDelivery[];
    },
  ) => Promise<readonly boolean[]>;
  /**
   * ATOMIC: discards pending and exhausted deliveries, each with an audit entry, and makes the next ones of their order keys
   * due. Deliveries with an attempt in flight are skipped.
   */
  discard: (request: OperatorRequest) => Promise<readonly DiscardOutcome[]>;
}

/** An operator's request to change deliveries. */
interface OperatorRequest {
  readonly deliveryIds: readonly number[];
  readonly now: number;
  /** The operator's name, for the audit entries. */
  readonly operator: string;
}

/** Writes the entries of this writer, and reads the entries of all writers in the store. */
export interface AuditLog extends AuditReader {
  /** Writes one audit entry. */
  append: (draft: AuditDraft) => Promise<void>;
  /** Signs this writer's entries with a checkpoint, unless the last entry is already a checkpoint. */
  checkpoint: () => Promise<void>;
  /**
   * ATOMIC: one step of the audit retention. Deletes old entries. The remaining entries of each writer begin with a
   * checkpoint. Of a writer that has ended, all entries may be deleted. Writes an audit entry that names the deleted
   * entries, and a checkpoint after it. Deletes only entries that are proven to be old and unchanged. `changed` names the
   * entries that were changed.
   */
  purgeAudit: (request: AuditPurgeRequest) => Promise<{
    readonly entries: number;
    /** Whether this sweep skipped writers. Only the next sweep from the oldest entry examines them again. */
    readonly hasLeftOut: boolean;
    readonly changed: readonly EntryPlace[];
    readonly next: number | null;
  }>;
  /** Rejects if a write fails, or if the trail no longer ends with this writer's last entry. */
  probe: () => Promise<void>;
}

/** The state that all processes of a store share: paused destinations, positions of sinks, leases. */
export interface Control
  extends
    Pick<
      DestinationReader,
      "destinationGauges" | "pausedDestinations" | "processStatuses"
    >,
    ConditionReader {
  /**
   * ATOMIC: pauses a destination until an operator resumes it, or resumes it (`paused` = null). An operator's pause replaces
   * one with an end. Returns false and writes nothing, no entry either, if that changes nothing.
   */
  setPaused: (
    destination: string,
    paused: { readonly at: number; readonly by: string } | null,
    entry: AuditDraft,
  ) => Promise<boolean>;
  /** Replaces the published state of this process. */
  publishStatus: (state: PublishedState) => Promise<void>;
  /**
   * Saves the last uses of keys. A later time that is already saved stays. Forgets the keys that were not used for a year.
   */
  noteUse: (uses: readonly KeyUse[]) => Promise<void>;
  /**
   * Returns the newest stored time that is not after `now` (unix milliseconds). Later times come from a clock that was wrong.
   * Null: the store is empty.
   */
  newestTime: (now: number) => Promise<number | null>;
  /**
   * Holds the purges of all processes of a shared store for a time, in milliseconds. A store that is not shared does nothing:
   * its process remembers the hold itself.
   */
  holdPurges: (forMs: number) => Promise<void>;
  arePurgesHeld: () => Promise<boolean>;
  /**
   * ATOMIC: ends a pause whose end is `until`, and writes the audit entry. Returns false and writes nothing if the destination
   * is not paused, or its pause has another end.
   */
  endPause: (
    destination: string,
    until: number,
    entry: AuditDraft,
  ) => Promise<boolean>;
  /** Returns the saved position of a sink; null = the sink is new. */
  sinkPosition: (name: string) => Promise<SinkPosition | null>;
  /**
   * Saves the position of a sink. Returns false and writes nothing if the store is shared, the sink has a saved position, and
   * this process does not hold the lease on the shared sinks.
   */
  saveSinkPosition: (name: string, position: SinkPosition) => Promise<boolean>;
  /**
   * Tries to take or renew one of the store's leases. Returns whether this process holds it now. `sinks`: the lease on the
   * shared sinks. `maintenance`: the lease on work that one process does for all. A process that does not call this in time,
   * for example because it was stopped, can lose a lease to another process.
   */
  holdLease: (name: LeaseName) => Promise<boolean>;
}

export type LeaseName = "sinks" | "maintenance";

/** The changes of a committed transaction that other parts of the service wait for. */
export interface Commit {
  /** The new audit entries, in order. */
  readonly entries: readonly {
    readonly position: number;
    readonly line: string;
  }[];
  /** The destinations whose deliveries may have become due. */
  readonly due: ReadonlySet<string>;
  /** The deliveries that the store itself exhausted. Deliveries that a worker settled are not included. */
  readonly exhausted: readonly FailedAttempt[];
  /** The number of records that it wrote. A replay writes nothing. */
  readonly records: number;
  /** The time from the start of the transaction until it was durable, in milliseconds. */
  readonly durationMs: number;
}

/**
 * A store. When a promise resolves, the write is durable on disk. When a method rejects, with `StoreError`, nothing was
 * written, or the connection to a database server was lost and the outcome is unknown. A caller may then repeat the call: a
 * record that was written after all is a `duplicate`. After a fatal error every later call rejects too.
 */
export interface Store extends EventStore, DeliveryQueue, AuditLog, Control {
  /**
   * Calls `listener` after each commit of this process, before the promises of its writes resolve. The listener must not
   * throw.
   */
  onCommit: (listener: (commit: Commit) => void) => void;
  /** Returns the time of the clock that due times are stored by, in unix milliseconds. */
  readonly clock: () => number;
  /** Whether other processes of the service may write to the store at the same time. */
  readonly isShared: boolean;
  close: () => Promise<void>;
}

/** What the process that opens a store for writing provides. */
export interface StoreDeps {
  /** The id of this process run in the audit chain. */
  readonly writer: string;
  /** The Ed25519 private key that signs checkpoints. */
  readonly signingKey: KeyObject;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Called once, when the store can no longer be trusted. */
  readonly onFatal: (error: StoreError) => void;
  /**
   * Whether this process makes deliveries. While such a process lives, the others can see it. If a process starts and finds
   * no other one, all leases belong to dead processes and are ended at once.
   */
  readonly delivers: boolean;
  /** The maximum number of connections to a database server: DATABASE_POOL. */
  readonly poolSize: number;
}
