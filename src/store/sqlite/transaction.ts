import type { Database } from "./driver.ts";
import type { AuditChain } from "../../audit/chain.ts";
import type { StoreError } from "../../errors.ts";
import type { CommitChanges } from "../commits.ts";
import { createOutage } from "../outage.ts";
import type { Commit } from "../port.ts";
import type { AuditWriter } from "./audit-writer.ts";
import { sqliteErrorName } from "./error-name.ts";
import type { OpenFiles } from "./open-files.ts";
import { asStoreError, lockTimeout } from "./store-error.ts";
import { checkpointWal } from "./wal-checkpointer.ts";

interface TransactionDeps {
  readonly db: Database;
  readonly chain: AuditChain;
  readonly writer: AuditWriter;
  readonly files: Pick<OpenFiles, "requireInPlace" | "isOnlyLogMissing">;
  readonly changes: Pick<CommitChanges, "take" | "discard">;
  readonly onCommit: (commit: Commit) => void;
  readonly now: () => number;
  /** Checkpoints the write-ahead log if a checkpoint is due. */
  readonly afterCommit: () => void;
  readonly onFatal: (error: StoreError) => void;
}

/** How long the last transaction waits for another process after a failed fsync, in milliseconds. */
const OVERWRITE_WAIT_MS = 2000;

export interface Transaction {
  /**
   * Runs `work` in a transaction. Returns true when it is durable. Returns false and does nothing while another process
   * holds the lock. If it throws StoreError, nothing was written.
   */
  run: (work: () => void) => boolean;
  /** Records an outage because another process held the lock for too long. Returns its error. */
  recordLockTimeout: () => StoreError;
  /** Records an error outside a transaction and returns it as a StoreError. */
  fail: (thrown: unknown) => StoreError;
  /**
   * Inside `work`: whether the trail in the file has ended with this process's last entry at every check so far. It also
   * writes, so that it fails if writes fail.
   */
  isIntact: () => boolean;
}

/**
 * Creates the transactions through which everything is written. They keep the audit chain in memory equal to the file, and
 * undo both if a transaction does not commit. After temporary errors the next commit reports them with `store.failed`. After
 * a fatal error nothing more is written.
 */
export function createTransaction(deps: TransactionDeps): Transaction {
  const { db, chain, writer, files, changes, now } = deps;
  const begin = db.prepare("BEGIN IMMEDIATE");
  const commit = db.prepare("COMMIT");
  const outage = createOutage(now);
  let committed = chain.head();
  let fatalError: StoreError | null = null;
  // Never reset: after a change from outside, later entries cannot prove the trail any more.
  let isTampered = false;

  /** Returns false while another process holds the lock. */
  function tryBegin(): boolean {
    try {
      begin.run();
      return true;
    } catch (error) {
      if (sqliteErrorName(error)?.startsWith("SQLITE_BUSY") === true) {
        return false;
      }
      throw error;
    }
  }

  /**
   * Like `run`. Returns how long the transaction took, in milliseconds; null = another process holds the lock. If it throws,
   * neither the file nor the chain has changed.
   */
  function attempt(work: () => void): number | null {
    const before = chain.mark();
    const startedAt = performance.now();
    if (!tryBegin()) {
      return null;
    }
    try {
      work();
      const head = chain.head();
      if (head.seq !== before.seq && !writer.moveHead(before, head)) {
        isTampered = true;
      }
      files.requireInPlace();
      commit.run();
      // Checked again: if a file was replaced during the sync, the commit must not be acknowledged. A later replacement is
      // not noticed here.
      files.requireInPlace();
      committed = head;
      return performance.now() - startedAt;
    } catch (error) {
      chain.rewind(before);
      changes.discard();
      db.rollback();
      throw error;
    }
  }

  function reportOutage(): void {
    const entry = outage.entry();
    if (entry !== null) {
      writer.append(entry);
    }
  }

  /**
   * Overwrites the frames of a transaction whose fsync failed. It was never acknowledged, but the next start would find its
   * frames in the log and apply them. Then the sender's identical retry would be a replay. The overwriting transaction also
   * reports the outage.
   */
  function overwriteLostFrames(): void {
    try {
      db.exec(`PRAGMA busy_timeout = ${OVERWRITE_WAIT_MS}`);
      attempt(reportOutage);
    } catch {
      // The disk may fail again. The frames are overwritten even then.
    }
  }

  /** Moves the content of a deleted log into the database. The log is still open here, with acknowledged commits. */
  function rescueDeletedLog(): void {
    try {
      if (files.isOnlyLogMissing()) {
        checkpointWal(db);
      }
    } catch {
      // The error that caused this call is reported instead.
    }
  }

  function fail(thrown: unknown): StoreError {
    const error = asStoreError(thrown);
    outage.failed(error);
    if (error.fatal && fatalError === null) {
      fatalError = error;
      if (error.code.startsWith("SQLITE_IOERR")) {
        overwriteLostFrames();
      }
      rescueDeletedLog();
      deps.onFatal(error);
    }
    return error;
  }

  return {
    run(work: () => void): boolean {
      if (fatalError !== null) {
        throw fatalError;
      }
      let durationMs: number | null;
      try {
        durationMs = attempt(() => {
          reportOutage();
          work();
        });
      } catch (error) {
        throw fail(error);
      }
      if (durationMs === null) {
        return false;
      }
      outage.ended();
      deps.onCommit(changes.take(durationMs));
      try {
        deps.afterCommit();
      } catch (error) {
        // The commit is durable in the log. Only later commits are in doubt after a failed checkpoint.
        fail(error);
      }
      return true;
    },

    recordLockTimeout() {
      const error = lockTimeout();
      outage.failed(error);
      return error;
    },

    fail,

    isIntact(): boolean {
      // Earlier jobs of this transaction may have appended entries. The table of heads changes at its end.
      const intact =
        committed.seq === 0 ||
        (writer.moveHead(committed, committed) && writer.endsIn(chain.head()));
      isTampered ||= !intact;
      return !isTampered;
    },
  };
}
