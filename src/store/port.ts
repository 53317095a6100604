import type { KeyObject } from "node:crypto";
import type { ChainHead, EntryPlace } from "../audit/chain.ts";
import type { AuditDraft } from "../audit/entry.ts";
import type { Purged } from "../audit/retention-entries.ts";
import type { ClaimedDelivery, FailedAttempt } from "../domain/delivery.ts";
import type { EventDetail, EventStatus } from "../domain/event-status.ts";
import type { RecordOutcome } from "../domain/event.ts";
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
  NotedSink,
  AuditPurgeRequest,
  PurgeRequest,
  DeliveryCounts,
  PausedDestination,
  StoredEntry,
  AuditSearch,
  AddedDelivery,
  DiscardOutcome,
  ProcessStatus,
  PublishedDestination,
} from "./records.ts";

/** Reads the trail. */
export interface AuditReader {
  /** Up to `limit` entries after `position`, in order. */
  readAudit: (
    position: number,
    limit: number,
  ) => Promise<readonly StoredEntry[]>;
  /** The position of the last entry; 0 when there is none. */
  lastPosition: () => Promise<number>;
  /** The last entry of each writer, newest writer first, as the store notes it beside the trail. */
  heads: () => Promise<readonly ChainHead[]>;
  /**
   * Looks at a bounded number of entries and returns those that contain the texts; `next` is where to resume, null when
   * there is no more. Fewer than `limit`, or none, do not mean the end.
   */
  searchAudit: (search: AuditSearch) => Promise<{
    readonly rows: readonly StoredEntry[];
    readonly next: number | null;
  }>;
  /**
   * A position before the entries since a time (unix milliseconds), found in few steps because positions grow with
   * time. Allows for clocks that were set back by up to an hour.
   */
  positionBefore: (at: number) => Promise<number>;
}

/** Reads events, in steps that are short however many there are. */
export interface EventReader {
  /**
   * Looks at a bounded number of events and returns those that match; `next` is where to resume, null when there is no
   * more. Fewer than `limit`, or none, do not mean the end.
   */
  scanEvents: (scan: EventScan) => Promise<{
    readonly events: readonly EventStatus[];
    readonly next: number | null;
  }>;
  /** The events with that id, one for each source that has it. */
  findEvents: (id: string) => Promise<readonly EventDetail[]>;
  /** The exact bytes of an event's body; null when there is no event with this number. */
  readBody: (seq: number) => Promise<Buffer | null>;
}

/** What the store knows of destinations as a whole. */
export interface DestinationReader {
  countDeliveries: () => Promise<readonly DeliveryCounts[]>;
  pausedDestinations: () => Promise<readonly PausedDestination[]>;
  /** What each process run last published, newest first. */
  processStatuses: () => Promise<readonly ProcessStatus[]>;
}

/** What an audit compares the trail with. */
export interface EventDigests {
  /** For each of the keys the stored event, with the SHA-256 of its stored bytes in hex; null = it is not stored. */
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
  /** Up to `limit` events after the one with this number, in order. */
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

/** Reads a store, beside a running service or without one. */
export interface StoreReader
  extends AuditReader, EventReader, DestinationReader, EventDigests {
  close: () => Promise<void>;
}

/** Events, with the replay guard. */
export interface EventStore extends EventReader {
  /**
   * ATOMIC: replay claim, event, deliveries and audit entry. A claim that is already there makes the message
   * `replayed`, or `replayed_conflict` when the event with its id has another body; else a known (source, id) makes it
   * `duplicate` when the body is the same and `conflict` when not; else it is `accepted`, and only then an event and its
   * deliveries are written. Of a replay nothing is written: its entry is up to the caller. Every other outcome claims.
   */
  record: (record: EventRecord) => Promise<RecordOutcome>;
  /** ATOMIC: one step of the retention: a bounded number of old events with all that belongs to them, and the entry. */
  purge: (
    request: PurgeRequest,
  ) => Promise<{ readonly purged: Purged; readonly next: number | null }>;
  /** Drops replay claims signed before `signedBefore` (unix seconds), at most `limit` of them. Returns how many. */
  forgetReplays: (signedBefore: number, limit: number) => Promise<number>;
}

/** Deliveries that are due, in flight, or to be made due again. */
export interface DeliveryQueue {
  /**
   * ATOMIC: takes due deliveries of a destination under a lease and counts the attempt, before it starts. A
   * delivery whose lease has ended is due again; its lost attempt is noted, with an audit entry.
   */
  claim: (request: ClaimRequest) => Promise<readonly ClaimedDelivery[]>;
  /** Brings forward what is due, or leased, for longer than these limits: a clock that was ahead has stored it. */
  limitDueTimes: (limits: DueTimeLimits) => Promise<void>;
  /**
   * ATOMIC: one step of exhausting deliveries that have been pending for too long, whenever they are due: a bounded number of
   * them, each with an audit entry. Those whose attempt is in flight are left alone. Returns how many; 0 = there are none.
   */
  expire: (request: ExpireRequest) => Promise<number>;
  /**
   * ATOMIC: attempt, next state and audit entry, and a pause that the destination asked for: it begins, with its entry, or
   * prolongs one that would end sooner. False, with nothing written, when the lease was lost.
   */
  settle: (settlement: Settlement) => Promise<boolean>;
  /** Returns a claimed delivery unsettled, due at once and off the schedule's count, unless the lease was lost. */
  release: (deliveryId: number, attempt: number, now: number) => Promise<void>;
  /** Whether a delivery is due during whose attempts the process has died at least twice. */
  isRepeatCrashDue: (
    request: Pick<ClaimRequest, "destination" | "now" | "dueUntil">,
  ) => Promise<boolean>;
  /** When the next delivery of a destination is due or its lease ends; null when none is pending. */
  nextDueAt: (destination: string) => Promise<number | null>;
  countDeliveries: DestinationReader["countDeliveries"];
  /** ATOMIC: the deliveries are due at once, on a new schedule, and each that is has an audit entry. */
  redeliver: (
    request: OperatorRequest & {
      /** The destinations that are configured; left out: deliveries to any are meant. */
      readonly destinations?: readonly string[];
    },
  ) => Promise<readonly RedeliveryOutcome[]>;
  /**
   * ATOMIC: makes deliveries for events that are stored, due at once or after others of their key, each with an audit entry.
   * False for one that exists already, or whose event is gone.
   */
  addDeliveries: (
    request: Omit<OperatorRequest, "deliveryIds"> & {
      readonly deliveries: readonly AddedDelivery[];
    },
  ) => Promise<readonly boolean[]>;
  /**
   * ATOMIC: pending and exhausted deliveries are not attempted any more, the next of their keys are due, and each has an audit
   * entry. One whose attempt is in flight is left alone.
   */
  discard: (request: OperatorRequest) => Promise<readonly DiscardOutcome[]>;
}

/** What an operator asks for some deliveries. */
interface OperatorRequest {
  readonly deliveryIds: readonly number[];
  readonly now: number;
  /** Who did it, for the entries. */
  readonly operator: string;
}

/** The audit trail of this writer, and of all that share the store. */
export interface AuditLog extends AuditReader {
  /** Writes one audit entry. */
  append: (draft: AuditDraft) => Promise<void>;
  /** Anchors this writer's entries with a checkpoint, unless they are. */
  checkpoint: () => Promise<void>;
  /**
   * ATOMIC: one step of the retention of the trail. Deletes the oldest entries of writers so that what is kept of each
   * begins with a checkpoint, or nothing is kept of a writer that has ended; writes the entry that names what was deleted,
   * and a checkpoint after it. Nothing goes of a writer whose entries are not proven to be old; `changed` names those that are
   * not what was written.
   */
  purgeAudit: (request: AuditPurgeRequest) => Promise<{
    readonly entries: number;
    /** Whether this sweep left out writers, which only the next sweep from the oldest looks at again. */
    readonly hasLeftOut: boolean;
    readonly changed: readonly EntryPlace[];
    readonly next: number | null;
  }>;
  /** Proves that a write gets through and that the trail ends where this writer left it. */
  probe: () => Promise<void>;
}

/** What processes on one store agree on: paused destinations, positions of sinks, leases. */
export interface Control extends Pick<
  DestinationReader,
  "pausedDestinations" | "processStatuses"
> {
  /**
   * ATOMIC: notes that a destination is paused until an operator resumes it, or is not paused any more, and the audit
   * entry.
   */
  setPaused: (
    destination: string,
    paused: { readonly at: number; readonly by: string } | null,
    entry: AuditDraft,
  ) => Promise<void>;
  /** Notes what this process says of the destinations that it serves, in place of what it said before. */
  publishStatus: (
    destinations: readonly PublishedDestination[],
  ) => Promise<void>;
  /**
   * When something was stored last (unix milliseconds), as far as that is not after `now`: such a time is of a clock that
   * was wrong. Null for an empty store.
   */
  newestTime: (now: number) => Promise<number | null>;
  /**
   * ATOMIC: ends a pause that ends at this time, with the audit entry. False, with nothing written, when the destination is
   * not paused, or not until then.
   */
  endPause: (
    destination: string,
    until: number,
    entry: AuditDraft,
  ) => Promise<boolean>;
  /** How far a sink has come; null for one that is new. */
  sinkPosition: (name: string) => Promise<SinkPosition | null>;
  savedSinks: () => Promise<readonly NotedSink[]>;
  saveSinkPosition: (name: string, position: SinkPosition) => Promise<void>;
  /** Takes the lease on the sinks that a store has once. True when this process has it; it keeps it while it lives. */
  tryLeaseSinks: () => Promise<boolean>;
}

/** What a transaction changed that others may wait for. */
export interface Commit {
  /** The new audit entries: their lines, and the position of the first. The positions of the others follow it. */
  readonly entries: {
    readonly position: number;
    readonly lines: readonly string[];
  };
  /** The destinations for which deliveries may have become due. */
  readonly due: ReadonlySet<string>;
  /** Deliveries that the store itself gave up, as no caller knows of that: of an outcome that is settled the worker does. */
  readonly exhausted: readonly FailedAttempt[];
}

/**
 * A store. Every promise that resolves means: durable on disk. Every method rejects with `StoreError` and has then
 * written nothing; after a fatal one every later call rejects too.
 */
export interface Store extends EventStore, DeliveryQueue, AuditLog, Control {
  /** Calls `listener` after each commit of this process, before the promises of its writes resolve. It must not throw. */
  onCommit: (listener: (commit: Commit) => void) => void;
  close: () => Promise<void>;
}

/** What a store takes from the process that opens it for writing. */
export interface StoreDeps {
  /** Names this process run in the audit chain. */
  readonly writer: string;
  /** The Ed25519 private key that signs checkpoints. */
  readonly signingKey: KeyObject;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Called once, when the store cannot be trusted any more. */
  readonly onFatal: (error: StoreError) => void;
  /**
   * Whether this process makes deliveries. One that does holds a lock while it lives; when it starts and finds that no other
   * process does, all leases belong to dead processes and end at once.
   */
  readonly delivers: boolean;
}
