import {
  setImmediate as nextTurn,
  setTimeout as delay,
} from "node:timers/promises";
import type { StoreError } from "../../errors.ts";
import type { Outage } from "../outage.ts";
import type { AuditedTransaction, Tx } from "./audited-transaction.ts";
import {
  createJobQueue,
  type Job,
  type JobLimits,
  type JobQueue,
} from "./job-queue.ts";
import { closedError, type LaneSession } from "./lane-session.ts";
import type { ClaimOf, createTransactions, Write } from "./lane-transaction.ts";
import { asStoreError, timedOut } from "./store-error.ts";

export type { Tx };

/**
 * Runs the transactions that may write audit entries, one after another, because each entry needs the hash of the one before
 * it. When a promise resolves, the transaction is durable. Rejects with StoreError: nothing was written, or the outcome is
 * unknown because the connection was lost. A transaction may run again after a deadlock or a lost connection, so `work` has
 * no side effects outside `tx`.
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
  /** Adds a kind of jobs that writes and commits on its own. */
  readonly queue: <Input, Result>(
    write: Write<Input, Result>,
    options: QueueOptions<Input, Result>,
  ) => LaneQueue<Input, Result>;
  /**
   * Waits for the jobs that were submitted, at most for CLOSE_MS, and closes the connection. The other jobs and later ones
   * are rejected.
   */
  readonly close: () => Promise<void>;
}

export type LaneQueue<Input, Result> = Pick<
  JobQueue<Input, Result>,
  "submit" | "putBack" | "pass" | "isEmpty"
>;

interface QueueOptions<Input, Result> extends JobLimits {
  readonly claimOf?: ClaimOf<Input, Result>;
  /** Selects the jobs that may share the next transaction. The function has passed the others to another queue. */
  readonly select?: (
    jobs: readonly Job<Input, Result>[],
  ) => Job<Input, Result>[];
}

/** How long a job waits at most, in milliseconds. A request is answered within 2.5 s, whatever the database does. */
const WAIT_MS = 2000;

/** How long the jobs may take that were submitted before the lane is closed, in milliseconds. */
const CLOSE_MS = 2000;

/** How often jobs are checked for that, in milliseconds. */
const EXPIRY_CHECK_MS = 100;

/** The time between two tries to reach the database, in milliseconds. */
const RETRY_MS = { first: 100, max: 1000 };

export interface LaneDeps {
  readonly session: LaneSession;
  readonly transact: ReturnType<typeof createTransactions>;
  readonly auditedTransaction: AuditedTransaction;
  readonly outage: Outage;
}

interface Kind {
  readonly isEmpty: () => boolean;
  readonly transact: () => Promise<void>;
  readonly expire: (submittedBy: number, error: StoreError) => boolean;
}

const everyJob = <Input, Result>(
  jobs: readonly Job<Input, Result>[],
): Job<Input, Result>[] => [...jobs];

/** Creates a lane. The kinds of jobs take turns. While a transaction is in flight, further jobs are collected. */
export function createLane(deps: LaneDeps): Lane {
  const { session, outage, auditedTransaction } = deps;
  const kinds: Kind[] = [];
  let lastKind = 0;
  let isScheduled = false;
  let work: Promise<void> | null = null;
  /** Why the database cannot be used; jobs fail at once meanwhile. */
  let down: StoreError | null = null;
  let retryMs = RETRY_MS.first;
  let retryTimer: NodeJS.Timeout | undefined;
  let expiryTimer: NodeJS.Timeout | undefined;
  let isClosing = false;

  function schedule(): void {
    expiryTimer ??= setInterval(expire, EXPIRY_CHECK_MS);
    if (!isScheduled && work === null) {
      isScheduled = true;
      setImmediate(() => {
        isScheduled = false;
        work ??= workOff().finally(() => {
          work = null;
          if (hasJobs()) {
            schedule();
          }
        });
      });
    }
  }

  const hasJobs = (): boolean => kinds.some((kind) => !kind.isEmpty());

  /** Returns the next kind with jobs, after the one that ran last. */
  function nextKind(): Kind | undefined {
    for (let step = 1; step <= kinds.length; step += 1) {
      const index = (lastKind + step) % kinds.length;
      const kind = kinds[index];
      if (kind?.isEmpty() === false) {
        lastKind = index;
        return kind;
      }
    }
    return undefined;
  }

  async function workOff(): Promise<void> {
    try {
      for (let kind = nextKind(); kind !== undefined; kind = nextKind()) {
        await kind.transact();
        // The callers of the jobs that were just committed may submit the next ones, which share a transaction.
        await nextTurn();
      }
      if (session.isUnsettled()) {
        await session.ready();
      }
    } catch (error) {
      goDown(asStoreError(error));
    }
  }

  function goDown(error: StoreError): void {
    outage.failed(error);
    down = error;
    rejectUntil(Number.POSITIVE_INFINITY, error);
    if (!isClosing) {
      retryTimer = setTimeout(() => {
        void retry();
      }, retryMs);
      retryMs = Math.min(2 * retryMs, RETRY_MS.max);
    }
  }

  async function retry(): Promise<void> {
    try {
      await session.ready();
      down = null;
      retryMs = RETRY_MS.first;
    } catch (error) {
      goDown(asStoreError(error));
    }
  }

  /** Rejects the jobs that were submitted at this time or earlier. */
  function rejectUntil(submittedBy: number, error: StoreError): boolean {
    return kinds
      .map((kind) => kind.expire(submittedBy, error))
      .some((hasExpired) => hasExpired);
  }

  function expire(): void {
    const error = timedOut("the database did not answer in time");
    if (rejectUntil(performance.now() - WAIT_MS, error)) {
      outage.failed(error);
    }
    if (work === null && !hasJobs()) {
      clearInterval(expiryTimer);
      expiryTimer = undefined;
    }
  }

  async function workOffAll(): Promise<void> {
    while (work !== null || (down === null && hasJobs())) {
      await (work ?? nextTurn());
    }
  }

  function queue<Input, Result>(
    write: Write<Input, Result>,
    options: QueueOptions<Input, Result>,
  ): LaneQueue<Input, Result> {
    const { claimOf = () => null, select = everyJob } = options;
    const jobs = createJobQueue<Input, Result>(options, () =>
      performance.now(),
    );
    let inFlight: Job<Input, Result>[] = [];
    kinds.push({
      isEmpty: jobs.isEmpty,
      async transact() {
        inFlight = select(jobs.take());
        try {
          await deps.transact(inFlight, write, claimOf);
        } catch (error) {
          // Not put back: while the database cannot be used, jobs fail at once.
          for (const job of inFlight.filter((one) => !one.isSettled())) {
            job.reject(asStoreError(error));
          }
          throw error;
        } finally {
          inFlight = [];
        }
      },
      expire(submittedBy, error) {
        let hasExpired = jobs.expire(submittedBy, error);
        for (const job of inFlight) {
          if (job.queuedAt <= submittedBy && !job.isSettled()) {
            job.reject(error);
            hasExpired = true;
          }
        }
        return hasExpired;
      },
    });
    return {
      async submit(input, bytes) {
        if (isClosing) {
          throw closedError();
        }
        if (down !== null) {
          throw down;
        }
        const result = jobs.submit(input, bytes);
        schedule();
        return result;
      },
      putBack: jobs.putBack,
      pass: jobs.pass,
      isEmpty: jobs.isEmpty,
    };
  }

  const runs = queue<(tx: Tx) => Promise<unknown>, unknown>(
    (attempt, [job]) =>
      auditedTransaction(attempt, async (tx) => [await job?.input(tx)]),
    { maxJobs: 1, maxBytes: 0 },
  );

  return {
    run: async <T>(doWork: (tx: Tx) => Promise<T>) =>
      (await runs.submit(doWork)) as T,
    batched(doWork, { maxJobs }) {
      const jobs = queue<
        Parameters<typeof doWork>[1][number],
        Awaited<ReturnType<typeof doWork>>[number]
      >(
        (attempt, batch) =>
          auditedTransaction(attempt, (tx) =>
            doWork(
              tx,
              batch.map(({ input }) => input),
            ),
          ),
        { maxJobs, maxBytes: 0 },
      );
      return (job) => jobs.submit(job);
    },
    queue,
    async close() {
      isClosing = true;
      clearTimeout(retryTimer);
      const timer = new AbortController();
      await Promise.race([
        workOffAll(),
        delay(CLOSE_MS, undefined, timer).then(
          session.destroy,
          () => undefined,
        ),
      ]);
      timer.abort();
      rejectUntil(Number.POSITIVE_INFINITY, closedError());
      clearInterval(expiryTimer);
      await session.close();
    },
  };
}
