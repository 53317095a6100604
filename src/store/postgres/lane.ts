import type { AuditDraft } from "../../audit/entry.ts";
import type { FailedAttempt } from "../../domain/delivery.ts";
import type { Sql } from "./sql.ts";

/** A transaction in progress. Its statements see its earlier changes. The isolation level is READ COMMITTED. */
export interface Tx extends Sql {
  /** Adds an entry to the chain of this process. It is written before the commit. */
  readonly append: (draft: AuditDraft) => void;
  /** Adds a checkpoint, unless the last entry is already one. */
  readonly checkpoint: () => void;
  /** Deliveries to this destination may be due after the commit. */
  readonly becomesDue: (destination: string) => void;
  /** The store itself exhausted a delivery. */
  readonly exhausted: (failed: FailedAttempt) => void;
}

/**
 * Runs the transactions that may write audit entries, one after another, because each entry needs the hash of the one before
 * it. When a promise resolves, the transaction is durable. Rejects with StoreError: nothing was written, or the outcome is
 * unknown because the connection was lost. A transaction may run again after a deadlock, so `work` has no side effects
 * outside `tx`.
 */
export interface Lane {
  readonly run: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>;
  /**
   * Returns a function that runs jobs of one kind: all jobs that wait share one transaction. `work` returns the result of
   * each job, in order.
   */
  readonly batched: <Job, Result>(
    work: (tx: Tx, jobs: readonly Job[]) => Promise<readonly Result[]>,
    options: { maxJobs: number },
  ) => (job: Job) => Promise<Result>;
}
