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
  readonly files: Pick<OpenFiles, "requireInPlace" | "isOnlyLogGone">;
  readonly changes: Pick<CommitChanges, "take" | "discard">;
  readonly onCommit: (commit: Commit) => void;
  readonly now: () => number;
  /** Checkpoints the write-ahead log when that is due. */
  readonly afterCommit: () => void;
  readonly onFatal: (error: StoreError) => void;
}

/** How long the last transaction after a failed fsync waits for another process, in milliseconds. */
const OVERWRITE_WAIT_MS = 2000;

export interface Transaction {
  /**
   * Returns when `work` is durable; throws StoreError when nothing of it was written. False, with nothing done, while another
   * process holds the lock.
   */
  run: (work: () => void) => boolean;
  /** The error of work that another process's lock has kept waiting for too long; noted as an outage. */
  recordLockTimeout: () => StoreError;
  /** Notes what went wrong outside a transaction, and gives it as StoreError. */
  fail: (thrown: unknown) => StoreError;
  /**
   * Inside `work`: whether the trail in the file ends where this process left it, and always did. Writes, so that
   * calling it also proves that a write gets through.
   */
  isIntact: () => boolean;
}

/**
 * The one way to write: a transaction that keeps the audit chain in memory and in the file together, and rewinds both when
 * it does not commit. After transient errors the first commit also reports them (`store.failed`); after a fatal one
 * nothing is written any more.
 */
export function createTransaction(deps: TransactionDeps): Transaction {
  const { db, chain, writer, files, changes, now } = deps;
  const begin = db.prepare("BEGIN IMMEDIATE");
  const commit = db.prepare("COMMIT");
  const outage = createOutage(now);
  let committed = chain.head();
  let fatalError: StoreError | null = null;
  // Permanent: a trail that was changed from outside once proves nothing any more, whatever is written after it.
  let isTampered = false;

  /** False while another process holds the lock. */
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

  /** As `run`. Throws with nothing written, in the file or in the chain. */
  function attempt(work: () => void): boolean {
    const before = chain.mark();
    if (!tryBegin()) {
      return false;
    }
    try {
      work();
      const head = chain.head();
      if (head.seq !== before.seq && !writer.moveHead(before, head)) {
        isTampered = true;
      }
      files.requireInPlace();
      commit.run();
      // Again: what was replaced during the sync must not be acknowledged. What is replaced from here on is not noticed.
      files.requireInPlace();
      committed = head;
      return true;
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
   * A transaction whose fsync failed was never acknowledged, yet its frames are in the log, where the next start
   * would find and apply them: the sender's identical retry would then be a replay. One more transaction overwrites
   * them, and leaves evidence.
   */
  function overwriteLostFrames(): void {
    try {
      db.exec(`PRAGMA busy_timeout = ${OVERWRITE_WAIT_MS}`);
      attempt(reportOutage);
    } catch {
      // The disk that failed once may fail again; the frames are overwritten all the same.
    }
  }

  /** A log that was deleted is still open here, with what was acknowledged since the last checkpoint. */
  function rescueDeletedLog(): void {
    try {
      if (files.isOnlyLogGone()) {
        checkpointWal(db);
      }
    } catch {
      // The error that led here is the one to report.
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
      try {
        const isCommitted = attempt(() => {
          reportOutage();
          work();
        });
        if (!isCommitted) {
          return false;
        }
      } catch (error) {
        throw fail(error);
      }
      outage.ended();
      deps.onCommit(changes.take());
      try {
        deps.afterCommit();
      } catch (error) {
        // What was committed is durable in the log; only what comes after a failed checkpoint is in doubt.
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
      // Jobs before this one may have appended already; the table of heads moves at the end.
      const intact =
        committed.seq === 0 ||
        (writer.moveHead(committed, committed) && writer.endsIn(chain.head()));
      isTampered ||= !intact;
      return !isTampered;
    },
  };
}
