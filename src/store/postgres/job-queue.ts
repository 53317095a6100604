import type { StoreError } from "../../errors.ts";

/** A call that waits for its transaction. Its promise settles exactly once. */
export interface Job<Input, Result> {
  readonly input: Input;
  /** The number of bytes that the job writes. */
  readonly bytes: number;
  /** By the monotonic clock, in milliseconds. */
  readonly queuedAt: number;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: StoreError) => void;
  /** Whether the promise is settled, for example because the job has waited for too long. */
  readonly isSettled: () => boolean;
}

/** A job that writes more bytes than this runs after the smaller jobs. */
const LARGE_BYTES = 65_536;

export interface JobLimits {
  /** The maximum number of jobs in one transaction. */
  readonly maxJobs: number;
  /** The maximum number of bytes in one transaction. Only a large job may exceed it. */
  readonly maxBytes: number;
}

/** The jobs of one kind that wait. */
export interface JobQueue<Input, Result> {
  readonly submit: (input: Input, bytes?: number) => Promise<Result>;
  /** Puts jobs back that a transaction has not answered, before the others. */
  readonly putBack: (jobs: readonly Job<Input, Result>[]) => void;
  /** Adds a job that another queue has passed on, after the others. */
  readonly pass: (job: Job<Input, Result>) => void;
  readonly isEmpty: () => boolean;
  /**
   * Takes the jobs of the next transaction. Small jobs come first, so that large jobs do not delay them. If large jobs wait,
   * at least one is taken.
   */
  readonly take: () => Job<Input, Result>[];
  /** Rejects the jobs that were submitted at this time or earlier. Returns whether there were any. */
  readonly expire: (submittedBy: number, error: StoreError) => boolean;
}

/** `monotonic`: milliseconds. */
export function createJobQueue<Input, Result>(
  { maxJobs, maxBytes }: JobLimits,
  monotonic: () => number,
): JobQueue<Input, Result> {
  const small: Job<Input, Result>[] = [];
  const large: Job<Input, Result>[] = [];

  const queueOf = ({ bytes }: Job<Input, Result>) =>
    bytes > LARGE_BYTES ? large : small;

  return {
    submit: (input, bytes = 0) =>
      new Promise((resolve, reject) => {
        const job = createJob(
          { input, bytes, queuedAt: monotonic() },
          { resolve, reject },
        );
        queueOf(job).push(job);
      }),
    putBack(jobs) {
      for (const job of [...jobs].reverse()) {
        queueOf(job).unshift(job);
      }
    },
    pass(job) {
      queueOf(job).push(job);
    },
    isEmpty: () => small.length === 0 && large.length === 0,
    take() {
      const taken: Job<Input, Result>[] = [];
      let bytes = 0;
      for (const queue of [small, large]) {
        let count = 0;
        for (const job of queue) {
          const first = taken.length === 0 || (queue === large && count === 0);
          const within =
            taken.length < maxJobs && bytes + job.bytes <= maxBytes;
          if (!first && !within) {
            break;
          }
          taken.push(job);
          bytes += job.bytes;
          count += 1;
        }
        queue.splice(0, count);
      }
      return taken;
    },
    expire(submittedBy, error) {
      let count = 0;
      for (const queue of [small, large]) {
        const first = queue.findIndex(({ queuedAt }) => queuedAt > submittedBy);
        for (const job of queue.splice(0, first < 0 ? queue.length : first)) {
          job.reject(error);
          count += 1;
        }
      }
      return count > 0;
    },
  };
}

function createJob<Input, Result>(
  facts: Pick<Job<Input, Result>, "input" | "bytes" | "queuedAt">,
  promise: {
    resolve: (result: Result) => void;
    reject: (error: StoreError) => void;
  },
): Job<Input, Result> {
  let isSettled = false;
  return {
    ...facts,
    resolve(result) {
      isSettled = true;
      promise.resolve(result);
    },
    reject(error) {
      isSettled = true;
      promise.reject(error);
    },
    isSettled: () => isSettled,
  };
}
