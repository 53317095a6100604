import { AuditChain } from "../../audit/chain.ts";
import { createCheckpoints } from "../../audit/checkpoint.ts";
import type { LeaseName, Store, StoreDeps, StoreReader } from "../port.ts";
import { createCommitChanges, createCommitListeners } from "../commits.ts";
import { StoreError } from "../../errors.ts";
import { createGroupCommit } from "../group-commit.ts";
import { createDeliveryAdder } from "./add-deliveries.ts";
import { createAuditWriter } from "./audit-writer.ts";
import {
  type CheckpointWal,
  createWalCheckpointer,
} from "./wal-checkpointer.ts";
import type { Database } from "./driver.ts";
import type { FileId } from "./file-id.ts";
import { createDeliveryTable } from "./deliveries.ts";
import { createDeliveryRows } from "./delivery-rows.ts";
import { stampApplicationId } from "./application-id.ts";
import { createDestinationTable } from "./destinations.ts";
import { createDiscarder } from "./discard.ts";
import { createExpirer } from "./expire.ts";
import { migrate } from "./migrate.ts";
import { createSinkLease, holdInstanceLock } from "./locks.ts";
import {
  guarded,
  openFileForWriting,
  openForReading,
  openForWriting,
} from "./open.ts";
import { createOpenFiles } from "./open-files.ts";
import { createKeyUseTable } from "./key-uses.ts";
import { createLostAttempts } from "./lost-attempts.ts";
import { createOrder } from "./order.ts";
import { createProcessStatusTable } from "./process-status.ts";
import { createPurger } from "./purge.ts";
import { createAuditPurger } from "./purge-audit.ts";
import { createQueries } from "./queries.ts";
import { createRecorder } from "./record.ts";
import { createReplayClaims } from "./replay-claims.ts";
import { createRedeliverer } from "./redeliver.ts";
import { createSinkTable } from "./sinks.ts";
import { withStoreErrors } from "./store-error.ts";
import { createTransaction, type Transaction } from "./transaction.ts";
import { openWalIndex } from "./wal-index.ts";

/** The maximum number of jobs and of body bytes in one transaction: about 20 ms of work. */
const MAX_BATCH = 512;
const MAX_BATCH_BYTES = 2_097_152;

export interface SqliteOptions extends Omit<StoreDeps, "poolSize"> {
  readonly file: string;
  /** Does most of each checkpoint on another thread, if any. */
  readonly checkpointFirst?: CheckpointWal;
  /** Whether the store must stop opening. Called while it waits for a lock. */
  readonly isEnding?: () => boolean;
}

/**
 * Opens a store in one SQLite file and brings its schema up to date. All writes of one turn of the event loop share one
 * durable transaction. Throws StoreError if the file cannot be opened or cannot be written durably.
 */
export function openSqliteStore(options: SqliteOptions): Store {
  const { file } = options;
  const { db, id } = openFileForWriting(file);
  return guarded(file, () => {
    try {
      bringUpToDate(db, options.isEnding);
      return createStore(options, db, id);
    } catch (error) {
      db.close();
      throw error;
    }
  });
}

/** `id`: the file that was opened. */
function createStore(options: SqliteOptions, db: Database, id: FileId): Store {
  const { file, now } = options;
  const index = openWalIndex(file);
  const files = createOpenFiles(file, id, index);
  const lock = options.delivers ? holdInstanceLock(file) : null;

  const sinkLease = createSinkLease(file);

  const changes = createCommitChanges();
  const listeners = createCommitListeners();
  const checkpoints = createCheckpoints(options.signingKey);
  const chain = new AuditChain(options.writer, checkpoints);
  const writer = createAuditWriter(db, {
    chain,
    now,
    appended: changes.appended,
  });
  const { append, checkpoint } = writer;
  const order = createOrder(db);
  const claims = createReplayClaims(db);
  const recordLostAttempt = createLostAttempts(db, append);
  const deliveries = createDeliveryTable(db, {
    order,
    append,
    recordLostAttempt,
    exhausted: changes.exhausted,
  });
  const { becomesDue } = changes;
  const expire = createExpirer(db, {
    order,
    append,
    exhausted: changes.exhausted,
    recordLostAttempt,
  });
  const rows = createDeliveryRows(db, recordLostAttempt);
  const redeliver = createRedeliverer(db, { rows, order, append, becomesDue });
  const discard = createDiscarder(db, { rows, order, append, becomesDue });
  const addDeliveries = createDeliveryAdder(db, { order, append, becomesDue });
  const purge = createPurger(db, { claims, append, checkpoint });
  const purgeAudit = createAuditPurger(db, {
    writer: options.writer,
    publicKey: checkpoints.publicKey,
    append,
    checkpoint,
    now,
  });
  const sinks = createSinkTable(db, now);
  const destinations = createDestinationTable(db);
  const record = createRecorder(db, {
    order,
    claims,
    append,
    becomesDue,
    recorded: changes.recorded,
  });
  const keyUses = createKeyUseTable(db);
  const processStatus = createProcessStatusTable(db);
  const wal = createWalCheckpointer(db, index, {
    checkpointFirst: options.checkpointFirst ?? null,
    onError: (error) => {
      transaction.fail(error);
    },
  });
  const transaction: Transaction = createTransaction({
    db,
    chain,
    writer,
    files,
    now,
    afterCommit: wal.afterCommit,
    changes,
    onCommit: listeners.notify,
    onFatal: options.onFatal,
  });
  const group = createGroupCommit(
    { transact: transaction.run, lockTimeout: transaction.recordLockTimeout },
    { maxBatch: MAX_BATCH, maxBytes: MAX_BATCH_BYTES },
  );

  if (lock?.alone) {
    const isDone = transaction.run(() => {
      deliveries.endLeases(now());
    });
    if (!isDone) {
      throw transaction.recordLockTimeout();
    }
  }
  // From now on the group commit waits for locks, because SQLite would block the thread.
  db.exec("PRAGMA busy_timeout = 0");

  return {
    ...createQueries(db, { file, now, onFatal: transaction.fail }),
    ...withStoreErrors(
      {
        isRepeatCrashDue: async (
          request: Parameters<Store["isRepeatCrashDue"]>[0],
        ) => deliveries.isRepeatCrashDue(request),
        nextDueAt: async (destination: string) =>
          deliveries.nextDueAt(destination),
        holdPurges: async () => undefined,
        arePurgesHeld: async () => false,
        holdLease: async (name: LeaseName) =>
          name === "maintenance" || sinkLease.tryTake(),
      },
      transaction.fail,
    ),
    record: (received) =>
      group.submit(() => record(received), received.event.body.length),
    append: (draft) =>
      group.submit(() => {
        append(draft);
      }),
    claim: (request) => group.submit(() => deliveries.claim(request)),
    limitDueTimes: (limits) =>
      group.submit(() => {
        deliveries.limitDueTimes(limits);
      }),
    settle: (settlement) =>
      group.submit(() => {
        const isHeld = deliveries.settle(settlement);
        const { pause } = settlement;
        if (isHeld && pause !== undefined && destinations.pauseUntil(pause)) {
          append(pause.entry);
        }
        return isHeld;
      }),
    expire: (request) => group.submit(() => expire(request)),
    release: (deliveryId, attempt, at) =>
      group.submit(() => {
        deliveries.release(deliveryId, attempt, at);
      }),
    redeliver: (request) => group.submit(() => redeliver(request)),
    addDeliveries: (request) => group.submit(() => addDeliveries(request)),
    discard: (request) => group.submit(() => discard(request)),
    publishStatus: (state) =>
      group.submit(() => {
        processStatus.publish(options.writer, state, now());
      }),
    noteUse: (uses) =>
      group.submit(() => {
        keyUses.save(uses, now());
      }),
    setPaused: (destination, paused, entry) =>
      group.submit(() => {
        const isChanged = destinations.setPaused(destination, paused);
        if (isChanged) {
          append(entry);
        }
        return isChanged;
      }),
    endPause: (destination, until, entry) =>
      group.submit(() => {
        const isEnded = destinations.endPause(destination, until);
        if (isEnded) {
          append(entry);
        }
        return isEnded;
      }),
    purge: (request) => group.submit(() => purge(request)),
    purgeAudit: (request) => group.submit(() => purgeAudit(request)),
    checkpoint: () => group.submit(checkpoint),
    saveSinkPosition: (name, position) =>
      group.submit(() => {
        sinks.write(name, position);
        return true;
      }),
    forgetReplays: (signedBefore, limit) =>
      group.submit(() => claims.forget(signedBefore, limit)),
    probe: async () => {
      if (!(await group.submit(transaction.isIntact))) {
        throw new StoreError("the audit trail was changed from outside", {
          code: "AUDIT_CHANGED",
          fatal: false,
        });
      }
    },
    onCommit: listeners.add,
    clock: now,
    isShared: false,
    close: async () => {
      db.close();
      wal.close();
      files.close();
      index.close();
      lock?.release();
      sinkLease.release();
    },
  };
}

/**
 * Opens the trail and the events of a SQLite file for reading. A service may use it at the same time. `snapshot`: all reads
 * see the store as it was at the first read, without later changes.
 */
export function openSqliteReader(
  file: string,
  options: { snapshot: boolean } = { snapshot: false },
): StoreReader {
  const db = openForReading(file);
  return guarded(file, () => {
    try {
      if (options.snapshot) {
        db.exec("BEGIN");
      }
      return {
        ...createQueries(db, {
          file,
          now: Date.now,
          onFatal: () => undefined,
        }),
        close: async () => {
          db.close();
        },
      };
    } catch (error) {
      db.close();
      throw error;
    }
  });
}

/** Brings the schema of a SQLite file up to date. */
export function migrateSqlite(file: string): { from: number; to: number } {
  const db = openForWriting(file);
  try {
    return guarded(file, () => bringUpToDate(db));
  } finally {
    db.close();
  }
}

function bringUpToDate(
  db: Database,
  isEnding?: SqliteOptions["isEnding"],
): { from: number; to: number } {
  const versions = migrate(db, isEnding);
  // This runs after the migration, because the migration waits longer for another process than this write does.
  stampApplicationId(db);
  return versions;
}
