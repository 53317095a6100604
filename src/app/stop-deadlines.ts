import { setTimeout as delay } from "node:timers/promises";
import type { Lifecycle } from "../background/background-service.ts";

/** How far the stop of the service has come, and when it must be over. */
export interface Shutdown {
  /** Drains, then stops everything. Called again, it returns the same stop. */
  readonly run: (reason: string, lifecycle: Lifecycle) => Promise<void>;
  readonly reason: () => string;
  /** Whether a stop was asked for, also while the service starts; else its start has failed. */
  readonly isRequested: () => boolean;
  /** From the request to stop on: not ready, and each response closes its connection. */
  readonly isDraining: () => boolean;
  /** From the end of draining on: no further events are accepted. */
  readonly isClosed: () => boolean;
  /** Time until the whole stop must be over. */
  readonly remainingMs: () => number;
  /** Closes a listener, by force when the time is up. */
  readonly closeListener: (listener: {
    close: () => Promise<void>;
    destroy: () => void;
  }) => Promise<void>;
}

/** Time reserved for what is stopped after the listeners: attempts in flight, the last entry. */
const RESERVE_MS = 2000;

/** The deadlines of a stop. `now` is in milliseconds of a monotonic clock. `stopRequest` ends a start. */
export function createShutdown(
  options: { drainSeconds: number; shutdownSeconds: number },
  now: () => number,
  stopRequest?: AbortSignal,
): Shutdown {
  const { drainSeconds, shutdownSeconds } = options;
  let why = "start failed";
  let draining = false;
  let closed = false;
  let deadline = Number.POSITIVE_INFINITY;
  let stopping: Promise<void> | null = null;

  const remainingMs = (): number =>
    Math.max(0, Math.min(deadline - now(), shutdownSeconds * 1000));

  async function drainAndStop(
    reason: string,
    lifecycle: Lifecycle,
  ): Promise<void> {
    why = reason;
    draining = true;
    deadline = now() + Math.max(shutdownSeconds, drainSeconds + 1) * 1000;
    await delay(drainSeconds * 1000);
    closed = true;
    await lifecycle.stop();
  }

  return {
    run: (reason, lifecycle) => (stopping ??= drainAndStop(reason, lifecycle)),
    reason: () =>
      stopRequest?.aborted && !draining ? String(stopRequest.reason) : why,
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
