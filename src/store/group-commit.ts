import type { StoreError } from "../errors.ts";

/**
 * Group commit: all jobs that wait in one turn of the event loop share one transaction, and so one fsync. A job is
 * synchronous work inside the transaction. Its promise resolves only after the commit.
 */
export interface GroupCommit {
  /** `bytes`: the number of bytes that the job writes. It may be left out for a few small rows. */
  submit<T>(work: () => T, bytes?: number): Promise<T>;
}

export interface GroupCommitDeps {
  /**
   * Runs the work in one transaction. Returns true when the commit is durable. Returns false and does nothing while another
   * process holds the lock. If it throws, nothing was written.
   */
  readonly transact: (work: () => void) => boolean;
  /**
   * Creates the error for jobs that have waited too long for the lock. All jobs that fail at the same retry get the same
   * error.
   */
  readonly lockTimeout: () => StoreError;
  /** Milliseconds of a monotonic clock. Default: the process's. */
  readonly monotonic?: () => number;
}

interface Job {
  readonly bytes: number;
  readonly queuedAt: number;
  run(): void;
  committed(): void;
  failed(error: unknown): void;
}

/** A job that writes more bytes than this runs after the smaller jobs. */
const LARGE_BYTES = 65_536;

/** How long a job waits for another process's lock, and the time between two tries, in milliseconds. */
const LOCK_WAIT_MS = 2000;
const LOCK_RETRY_MS = 5;

/**
 * Creates a group commit. A transaction has at most `maxBatch` jobs and `maxBytes` bytes, so that a burst delays other jobs
 * only briefly. Only a large job may exceed these limits.
 */
export function createGroupCommit(
  deps: GroupCommitDeps,
  options: { maxBatch: number; maxBytes: number },
): GroupCommit {
  const small: Job[] = [];
  const large: Job[] = [];
  const monotonic = deps.monotonic ?? (() => performance.now());
  let isScheduled = false;

  function schedule(): void {
    if (!isScheduled) {
      isScheduled = true;
      setImmediate(flush);
    }
  }

  /**
   * Takes the next jobs. Small jobs come first, so that large jobs do not delay them. If large jobs wait, at least one is
   * taken.
   */
  function nextBatch(): Job[] {
    const batch: Job[] = [];
    let bytes = 0;
    for (const queue of [small, large]) {
      let taken = 0;
      for (const job of queue) {
        const first = batch.length === 0 || (queue === large && taken === 0);
        const within =
          batch.length < options.maxBatch &&
          bytes + job.bytes <= options.maxBytes;
        if (!first && !within) {
          break;
        }
        batch.push(job);
        bytes += job.bytes;
        taken += 1;
      }
      queue.splice(0, taken);
    }
    return batch;
  }

  function flush(): void {
    isScheduled = false;
    const batch = nextBatch();
    if (!commit(batch)) {
      requeueUntilUnlocked(batch);
    } else if (hasJobs()) {
      schedule();
    }
  }

  function hasJobs(): boolean {
    return small.length > 0 || large.length > 0;
  }

  /** Returns false while another process holds the lock. */
  function commit(batch: readonly Job[]): boolean {
    try {
      const isCommitted = deps.transact(() => {
        for (const job of batch) {
          job.run();
        }
      });
      if (!isCommitted) {
        return false;
      }
    } catch (error) {
      for (const job of batch) {
        job.failed(error);
      }
      return true;
    }
    for (const job of batch) {
      job.committed();
    }
    return true;
  }

  /** Retries the jobs after a short wait, without blocking the event loop. Jobs that have waited too long fail. */
  function requeueUntilUnlocked(batch: readonly Job[]): void {
    const cutoff = monotonic() - LOCK_WAIT_MS;
    const all = [...batch, ...small.splice(0), ...large.splice(0)];
    const expired = all.filter((job) => job.queuedAt <= cutoff);
    for (const job of all) {
      if (job.queuedAt > cutoff) {
        queueOf(job).push(job);
      }
    }
    if (expired.length > 0) {
      const error = deps.lockTimeout();
      for (const job of expired) {
        job.failed(error);
      }
    }
    if (hasJobs()) {
      isScheduled = true;
      setTimeout(flush, LOCK_RETRY_MS);
    }
  }

  function queueOf({ bytes }: Job): Job[] {
    return bytes > LARGE_BYTES ? large : small;
  }

  return {
    submit<T>(work: () => T, bytes = 0): Promise<T> {
      return new Promise<T>((resolve, reject) => {
        let result: T;
        const job: Job = {
          bytes,
          queuedAt: monotonic(),
          run: () => {
            result = work();
          },
          committed: () => {
            resolve(result);
          },
          failed: reject,
        };
        queueOf(job).push(job);
        schedule();
      });
    },
  };
}
