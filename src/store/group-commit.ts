/**
 * Group commit: all jobs that wait in one turn of the event loop share one transaction, and so one fsync. A job
 * is plain synchronous work inside the transaction; its promise resolves only after the commit.
 */
export interface GroupCommit {
  submit<T>(work: () => T): Promise<T>;
}

interface Job {
  run(): void;
  committed(): void;
  failed(error: unknown): void;
}

/**
 * `transact` runs the given work in one transaction: it returns once the commit is durable, and throws with
 * nothing written. At most `maxBatch` jobs share one, so that a burst does not hold the event loop for long.
 */
export function createGroupCommit(
  transact: (work: () => void) => void,
  options: { maxBatch: number },
): GroupCommit {
  const waiting: Job[] = [];
  let scheduled = false;

  function schedule(): void {
    if (!scheduled) {
      scheduled = true;
      setImmediate(flush);
    }
  }

  function flush(): void {
    scheduled = false;
    const batch = waiting.splice(0, options.maxBatch);
    if (waiting.length > 0) {
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
    submit<T>(work: () => T): Promise<T> {
      return new Promise<T>((resolve, reject) => {
        let result: T;
        waiting.push({
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
