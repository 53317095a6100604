import type { AuditChain, ChainMark } from "../../audit/chain.ts";
import { StoreError } from "../../errors.ts";
import type { CommitChanges } from "../commits.ts";
import type { Outage } from "../outage.ts";
import type { Commit } from "../port.ts";
import type { AuditWriter } from "./audit-writer.ts";
import type { Connection } from "./connection.ts";
import type { ClaimKey } from "./replay-claims.ts";
import type { Job } from "./job-queue.ts";
import type { LaneSession } from "./lane-session.ts";
import { dayOf } from "./days.ts";

/** How long one transaction may take, in milliseconds. Then its connection is closed. */
const TRANSACTION_MS = 2000;

/** How often a transaction runs again after a rival was in its way. */
const MAX_TRIES = 5;

/** A transaction in progress. */
export interface Attempt<Result> {
  readonly connection: Connection;
  readonly from: ChainMark;
  /** Unix milliseconds. */
  readonly at: number;
  /** Must be called before the statement that commits is sent. From then on a lost connection leaves the outcome open. */
  readonly commits: (results: readonly Result[]) => void;
}

/** Writes and commits. Returns the positions of its entries; null = nothing was written, and the jobs wait elsewhere. */
export type Write<Input, Result> = (
  attempt: Attempt<Result>,
  jobs: readonly Job<Input, Result>[],
) => Promise<readonly number[] | null>;

export interface TransactionDeps {
  readonly session: LaneSession;
  readonly chain: AuditChain;
  readonly audit: AuditWriter;
  readonly outage: Outage;
  readonly changes: Pick<CommitChanges, "appended" | "take" | "discard">;
  readonly onCommit: (commit: Commit) => void;
  /** Another process has dropped a partition, or never made it. */
  readonly forgetPartitions: () => void;
  readonly now: () => number;
}

/**
 * Creates the function that runs one transaction for some jobs and settles them. It runs again after a deadlock or a lost
 * connection. `claimOf`: the replay claim that a job has written. Rejects with StoreError if the database cannot be used;
 * then the jobs are not settled.
 */
export function createTransactions(deps: TransactionDeps) {
  const { session, chain, audit, outage, changes, now } = deps;

  function undo(from: ChainMark): void {
    chain.rewind(from);
    changes.discard();
    audit.clear();
  }

  function finish<Input, Result>(
    jobs: readonly Job<Input, Result>[],
    ended: {
      results: readonly Result[];
      positions: readonly number[];
      reported: boolean;
      day: number;
      startedAt: number;
    },
    claimOf: ClaimOf<Input, Result>,
  ): void {
    const { results, positions, day } = ended;
    const lines = audit.lines();
    for (const [i, position] of positions.entries()) {
      changes.appended(position, lines[i] ?? "");
    }
    audit.clear();
    const last = positions.at(-1);
    if (last !== undefined) {
      session.commit({ head: chain.head(), position: last, day });
    }
    // If a job has failed meanwhile, the next transaction must report that.
    if (ended.reported && !jobs.some((job) => job.isSettled())) {
      outage.ended();
    }
    const commit = changes.take(performance.now() - ended.startedAt);
    if (commit.entries.length + commit.due.size + commit.exhausted.length > 0) {
      deps.onCommit(commit);
    }
    for (const [i, job] of jobs.entries()) {
      const result = results[i] as Result;
      if (job.isSettled()) {
        const claim = claimOf(job.input, result);
        session.forget(claim === null ? [] : [claim]);
      } else {
        job.resolve(result);
      }
    }
  }

  return async function transact<Input, Result>(
    jobs: readonly Job<Input, Result>[],
    write: Write<Input, Result>,
    claimOf: ClaimOf<Input, Result>,
  ): Promise<void> {
    let losses = 0;
    for (let tries = 1; ; tries += 1) {
      const connection = await session.ready();
      // `ready` settles the jobs of a transaction that was in doubt and did commit.
      const waiting = jobs.filter((job) => !job.isSettled());
      if (waiting.length === 0) {
        return;
      }
      const startedAt = performance.now();
      connection.endBy(startedAt + TRANSACTION_MS);
      const from = chain.mark();
      const at = now();
      const report = outage.entry();
      const sent: { results: readonly Result[] | null } = { results: null };
      const ended = (positions: readonly number[], by: readonly Result[]) => {
        const reported = report !== null;
        const day = dayOf(at);
        finish(
          waiting,
          { results: by, positions, reported, day, startedAt },
          claimOf,
        );
      };
      try {
        if (report !== null) {
          audit.append(report);
        }
        const commits = (results: readonly Result[]) => {
          sent.results = results;
        };
        const attempt = { connection, from, at, commits };
        const positions = await write(attempt, waiting);
        if (positions === null) {
          undo(from);
        } else {
          ended(positions, sent.results ?? []);
        }
        return;
      } catch (thrown) {
        const error = programFault(thrown);
        const to = chain.head();
        const { results } = sent;
        const isLost = !connection.isOpen();
        if (isLost && results !== null && to.seq > from.seq) {
          session.doubt({
            from,
            to,
            day: dayOf(at),
            resolve(positions) {
              if (positions === null) {
                undo(from);
              } else {
                ended(positions, results);
              }
            },
          });
        } else {
          undo(from);
          await rollBack(connection);
        }
        losses += isLost ? 1 : 0;
        if (waiting.length > 1 && (losses > 1 || isRejected(error))) {
          // One of the jobs may be the cause. Only that one must fail.
          await session.ready();
          const half = waiting.length >> 1;
          await transact(waiting.slice(0, half), write, claimOf);
          await transact(waiting.slice(half), write, claimOf);
          return;
        }
        if (tries < MAX_TRIES && (isLost || mayRetry(error))) {
          continue;
        }
        outage.failed(error);
        for (const job of waiting) {
          if (!job.isSettled()) {
            job.reject(error);
          }
        }
        return;
      }
    }
  };

  /** Whether another try may succeed, after what is done here. */
  function mayRetry({ code }: StoreError): boolean {
    if (code === HEAD_CHANGED) {
      session.distrust();
    }
    if (code === NO_PARTITION) {
      deps.forgetPartitions();
    }
    return RETRY.has(code);
  }
}

/** Returns the claim that a job has written with this result; null = none. */
export type ClaimOf<Input, Result> = (
  input: Input,
  result: Result,
) => ClaimKey | null;

const HEAD_CHANGED = "HX002";
/** The code of a violated CHECK. The bounds of a partitioned table are such a check. */
const NO_PARTITION = "23514";
const RETRY: ReadonlySet<string> = new Set([
  HEAD_CHANGED,
  NO_PARTITION,
  "40001",
  "40P01",
]);

/** Whether the server rejected a value: a data exception, a violated constraint, or a limit. */
function isRejected({ code }: StoreError): boolean {
  return /^(?:22|23|54)/.test(code) && code !== NO_PARTITION;
}

async function rollBack(connection: Connection): Promise<void> {
  if (connection.isOpen() && connection.isInTransaction()) {
    try {
      await connection.command("ROLLBACK");
    } catch {
      connection.destroy();
    }
  }
}

/** Converts an error that does not come from the database. Nothing was written. */
function programFault(thrown: unknown): StoreError {
  return thrown instanceof StoreError
    ? thrown
    : new StoreError("a program fault prevented a write to the store", {
        code: "STORE_PROGRAM_FAULT",
        fatal: false,
      });
}
