/**
 * Group commit: all jobs that wait in one turn of the event loop share one transaction, and so one fsync. A job
 * is plain synchronous work inside the transaction; its promise resolves only after the commit.
 */
export interface GroupCommit {
  /** `bytes`: how much the job writes, as far as that is more than a few rows. */
  submit<T>(work: () => T, bytes?: number): Promise<T>;
}

interface Job {
  readonly bytes: number;
  run(): void;
  committed(): void;
  failed(error: unknown): void;
}

/** A job that writes more than this waits behind those that write less. */
const LARGE_BYTES = 65_536;

/**
 * `transact` runs the given work in one transaction: it returns once the commit is durable, and throws with
 * nothing written. At most `maxBatch` jobs, and `maxBytes` unless one job alone has more, share one, so that a burst does not
 * hold the event loop for long.
 */
export function createGroupCommit(
  transact: (work: () => void) => void,
  options: { maxBatch: number; maxBytes: number },
): GroupCommit {
  const small: Job[] = [];
  const large: Job[] = [];
  let scheduled = false;

  function schedule(): void {
    if (!scheduled) {
      scheduled = true;
      setImmediate(flush);
    }
  }

  /** Small jobs first, so that large ones do not delay them. Each batch still has one large job. */
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
    scheduled = false;
    const batch = nextBatch();
    if (small.length > 0 || large.length > 0) {
      schedule();
    }
    try {
      transact(() => {
        for (const job of batch) {
          job.run();
        }
      });
    } catch (error) {
      for (const job of batch) {
        job.failed(error);
      }
      return;
    }
    for (const job of batch) {
      job.committed();
    }
  }

  return {
    submit<T>(work: () => T, bytes = 0): Promise<T> {
      return new Promise<T>((resolve, reject) => {
        let result: T;
        const queue = bytes > LARGE_BYTES ? large : small;
        queue.push({
          bytes,
          run: () => {
            result = work();
          },
          committed: () => {
            resolve(result);
          },
          failed: reject,
        });
        schedule();
      });
    },
  };
}
