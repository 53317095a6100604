import { setTimeout as delay } from "node:timers/promises";
import type { Lifecycle } from "../background/background-service.ts";

/** The state of a shutdown, and its deadlines. */
export interface Shutdown {
  /**
   * Drains, then stops everything. Further calls return the same promise. `isLimited`: rejects shortly after the deadline,
   * because each part may wait for a database that does not answer.
   */
  readonly run: (
    reason: string,
    lifecycle: Lifecycle,
    options: { isLimited: boolean },
  ) => Promise<void>;
  readonly reason: () => string;
  /** Whether a shutdown was requested, also during startup. If not, the startup has failed. */
  readonly isRequested: () => boolean;
  /** True after the request: the service is not ready, and each response closes its connection. */
  readonly isDraining: () => boolean;
  /** True after draining: no further events are accepted. */
  readonly isClosed: () => boolean;
  /** Returns the time until the end of the shutdown, in milliseconds. */
  readonly remainingMs: () => number;
  /** Closes a listener. Destroys the connections that are still open when the time for listeners has passed. */
  readonly closeListener: (listener: {
    close: () => Promise<void>;
    destroy: () => void;
  }) => Promise<void>;
}

/** Time reserved for what follows the listeners, in milliseconds: ending attempts, and writing the last audit entry. */
const RESERVE_MS = 2000;

/** How long after the deadline a limited shutdown rejects, in milliseconds. */
const LATE_MS = 250;

/** Creates the deadlines of a shutdown. `now` returns milliseconds of a monotonic clock. `stopRequest` aborts a startup. */
export function createShutdown(
  options: { drainSeconds: number; shutdownSeconds: number },
  now: () => number,
  stopRequest?: AbortSignal,
): Shutdown {
  const { drainSeconds, shutdownSeconds } = options;
  let stopReason = "start failed";
  let draining = false;
  let closed = false;
  let deadline = Number.POSITIVE_INFINITY;
  let stopping: Promise<void> | null = null;

  const remainingMs = (): number =>
    Math.max(0, Math.min(deadline - now(), shutdownSeconds * 1000));

  async function drainAndStop(
    reason: string,
    lifecycle: Lifecycle,
    { isLimited }: { isLimited: boolean },
  ): Promise<void> {
    stopReason = reason;
    draining = true;
    deadline = now() + Math.max(shutdownSeconds, drainSeconds + 1) * 1000;
    await delay(drainSeconds * 1000);
    closed = true;
    const stopped = lifecycle.stop();
    await (isLimited ? Promise.race([stopped, tooLate()]) : stopped);
  }

  async function tooLate(): Promise<never> {
    await delay(remainingMs() + LATE_MS, undefined, { ref: false });
    throw new Error("the shutdown took longer than SHUTDOWN_SECONDS");
  }

  return {
    run: (reason, lifecycle, limits) =>
      (stopping ??= drainAndStop(reason, lifecycle, limits)),
    reason: () =>
      stopRequest?.aborted && !draining
        ? String(stopRequest.reason)
        : stopReason,
    isRequested: () => draining || stopRequest?.aborted === true,
    isDraining: () => draining,
    isClosed: () => closed,
    remainingMs,
    async closeListener(listener) {
      const force = setTimeout(
        listener.destroy,
        Math.max(0, remainingMs() - RESERVE_MS),
      );
      await listener.close();
      clearTimeout(force);
    },
  };
}
