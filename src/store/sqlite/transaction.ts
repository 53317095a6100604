import type { Database } from "./driver.ts";
import type { AuditChain } from "../../audit/chain.ts";
import type { StoreError } from "../../errors.ts";
import type { CommitListeners } from "../commit-listeners.ts";
import { createOutage } from "../outage.ts";
import type { AuditWriter } from "./audit-writer.ts";
import { asStoreError } from "./store-error.ts";

interface TransactionDeps {
  readonly db: Database;
  readonly chain: AuditChain;
  readonly writer: AuditWriter;
  readonly commits: Pick<CommitListeners, "committed" | "rolledBack">;
  readonly now: () => number;
  readonly afterCommit: () => void;
  readonly onFatal: (error: StoreError) => void;
}

export interface Transaction {
  /** Returns when `work` is durable; throws StoreError when nothing of it was written. */
  run: (work: () => void) => void;
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
  const { db, chain, writer, commits, now } = deps;
  const begin = db.prepare("BEGIN IMMEDIATE");
  const commit = db.prepare("COMMIT");
  const outage = createOutage(now);
  let committed = chain.head();
  let dead: StoreError | null = null;
  // Permanent: a trail that was changed from outside once proves nothing any more, whatever is written after it.
  let changed = false;

  /** Returns whether entries were written. Throws with nothing written, in the file or in the chain. */
  function attempt(work: () => void): boolean {
    const before = chain.mark();
    try {
      begin.run();
      work();
      const head = chain.head();
      const hasEntries = head.seq !== before.seq;
      if (hasEntries && !writer.moveHead(before, head)) {
        changed = true;
      }
      commit.run();
      committed = head;
      return hasEntries;
    } catch (error) {
      chain.rewind(before);
      commits.rolledBack();
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
      attempt(reportOutage);
    } catch {
      // The disk that failed once may fail again; the frames are overwritten all the same.
    }
  }

  function fail(thrown: unknown): StoreError {
    const error = asStoreError(thrown);
    outage.failed(error);
    if (error.fatal && dead === null) {
      dead = error;
      overwriteLostFrames();
      deps.onFatal(error);
    }
    return error;
  }

  return {
    run(work: () => void): void {
      if (dead !== null) {
        throw dead;
      }
      let hasEntries: boolean;
      try {
        hasEntries = attempt(() => {
          reportOutage();
          work();
        });
      } catch (error) {
        throw fail(error);
      }
      outage.ended();
      commits.committed({ hasEntries });
      try {
        deps.afterCommit();
      } catch (error) {
        // What was committed is durable in the log; only what comes after a failed checkpoint is in doubt.
        fail(error);
      }
    },

    isIntact(): boolean {
      // Jobs before this one may have appended already; the table of heads moves at the end.
      const intact =
        committed.seq === 0 ||
        (writer.moveHead(committed, committed) && writer.endsIn(chain.head()));
      changed ||= !intact;
      return !changed;
    },
  };
}
