import type { Database } from "./driver.ts";
import type { AuditChain } from "../../audit/chain.ts";
import type { AuditDraft } from "../../audit/entry.ts";
import type { StoreError } from "../../errors.ts";
import type { AuditWriter } from "./audit-writer.ts";
import { asStoreError } from "./store-error.ts";

interface TransactionDeps {
  readonly db: Database;
  readonly chain: AuditChain;
  readonly writer: AuditWriter;
  readonly now: () => number;
  readonly afterCommit: () => void;
  readonly onFatal: (error: StoreError) => void;
}

interface Outage {
  readonly code: string;
  readonly since: number;
  failures: number;
}

export interface Transaction {
  /** Returns when `work` is durable; throws StoreError when nothing of it was written. */
  run: (work: () => void) => void;
  /**
   * Inside `work`: whether the trail in the file ends where this process left it, and always did. Writes, so that
   * asking also proves that a write gets through.
   */
  isIntact: () => boolean;
}

/**
 * The one way to write: a transaction that keeps the audit chain in memory and in the file together. What did not
 * commit is taken back from both. After faults that pass, the first good commit also tells of them
 * (`store.failed`); after a fatal one nothing is written any more.
 */
export function createTransaction(deps: TransactionDeps): Transaction {
  const { db, chain, writer, now } = deps;
  const begin = db.prepare("BEGIN IMMEDIATE");
  const commit = db.prepare("COMMIT");
  let committed = chain.head();
  let outage: Outage | null = null;
  let dead: StoreError | null = null;
  // For good: what was once changed from outside proves nothing any more, whatever is written behind it.
  let changed = false;

  /** Throws with nothing written, in the file or in the chain. */
  function attempt(work: () => void): void {
    const before = chain.mark();
    try {
      begin.run();
      work();
      const head = chain.head();
      if (head.seq !== before.seq && !writer.moveHead(before, head)) {
        changed = true;
      }
      commit.run();
      committed = head;
    } catch (error) {
      chain.rewind(before);
      db.rollback();
      throw error;
    }
  }

  function tellOutage(): void {
    if (outage !== null) {
      writer.append(storeFailed(outage, now()));
    }
  }

  /**
   * A transaction whose fsync failed was never acknowledged, yet its frames are in the log, where the next start
   * would find and apply them: the sender's identical retry would then be a replay. One more transaction writes
   * over them, and leaves evidence.
   */
  function writeOverLostFrames(): void {
    try {
      attempt(tellOutage);
    } catch {
      // The disk that failed once may fail again; the frames are written over all the same.
    }
  }

  function fail(thrown: unknown): StoreError {
    const error = asStoreError(thrown);
    outage ??= { code: error.code, since: now(), failures: 0 };
    outage.failures += 1;
    if (error.fatal && dead === null) {
      dead = error;
      writeOverLostFrames();
      deps.onFatal(error);
    }
    return error;
  }

  return {
    run(work: () => void): void {
      if (dead !== null) {
        throw dead;
      }
      try {
        attempt(() => {
          tellOutage();
          work();
        });
      } catch (error) {
        throw fail(error);
      }
      outage = null;
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

function storeFailed(
  { code, since, failures }: Outage,
  at: number,
): AuditDraft {
  return {
    at,
    action: "store.failed",
    userId: "system",
    resource: "store",
    result: "failure",
    metadata: { code, since: new Date(since).toISOString(), failures },
  };
}
