/** A part of the service that is started and stopped. */
export interface BackgroundService {
  readonly start?: () => void | Promise<void>;
  /** Stops it. Resolves when none of its work is in progress. */
  readonly stop?: () => Promise<void>;
}

/** Starts services in order, and stops them in reverse order. */
export interface Lifecycle {
  /**
   * Starts the services. If one fails or the signal aborts, the services started before are stopped and the error is thrown. A
   * service whose start fails must clean up itself.
   */
  readonly start: (signal?: AbortSignal) => Promise<void>;
  /** Stops all services, even if some fail, and then throws the first error. */
  readonly stop: () => Promise<void>;
}

export function createLifecycle(
  services: readonly BackgroundService[],
): Lifecycle {
  /** The running services. */
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
        // The error of the start is the cause, so an error of the stop is ignored.
        await stop().catch(() => undefined);
        throw error;
      }
    },
    stop,
  };
}
