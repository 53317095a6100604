/** Work beside requests, from its start until its stop. */
export interface BackgroundService {
  readonly start?: () => void | Promise<void>;
  /** Ends it; resolves when nothing of it is in progress. */
  readonly stop?: () => Promise<void>;
}

/** Services as one: they start in order and stop in reverse. */
export interface Lifecycle {
  /**
   * When one fails to start, or the signal is aborted meanwhile, those before it are stopped, and the error is thrown. A failed
   * start cleans up by itself.
   */
  readonly start: (signal?: AbortSignal) => Promise<void>;
  /** An error of one does not keep the others from stopping; the first is thrown in the end. */
  readonly stop: () => Promise<void>;
}

export function createLifecycle(
  services: readonly BackgroundService[],
): Lifecycle {
  /** Those to stop. */
  const started: BackgroundService[] = [];

  async function stop(): Promise<void> {
    const errors: unknown[] = [];
    for (let next = started.pop(); next; next = started.pop()) {
      await next.stop?.().catch((error: unknown) => errors.push(error));
    }
    if (errors.length > 0) {
      throw errors[0];
    }
  }

  return {
    async start(signal) {
      try {
        for (const service of services) {
          signal?.throwIfAborted();
          await service.start?.();
          started.push(service);
        }
      } catch (error) {
        // The error of the start tells more than one of the stop after it.
        await stop().catch(() => undefined);
        throw error;
      }
    },
    stop,
  };
}
