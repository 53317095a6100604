import { setTimeout as delay } from "node:timers/promises";

export interface Shutdown {
  /** Adds to what is released, last-in first-out. */
  onRelease: (release: () => Promise<void>) => void;
  /** Drains, then releases. Called again, it is the same stop. */
  stop: (reason: string) => Promise<void>;
  /** Releases without draining. One release that fails does not keep the others from running. */
  release: () => Promise<void>;
  reason: () => string;
  /** From the wish to stop on: not ready, and connections close behind their answer. */
  isDraining: () => boolean;
  /** From the end of draining on: events are not taken any more. */
  isClosed: () => boolean;
  /** Until the whole stop must be over. */
  remainingMs: () => number;
  /** Closes a listener, by force when the time is up. */
  closeWithin: (listener: {
    close: () => Promise<void>;
    destroy: () => void;
  }) => Promise<void>;
}

/** Time that is kept back for what comes after the listeners: attempts in flight, the last entry. */
const RESERVE_MS = 2000;

/** The order and the deadlines of a stop. */
export function createShutdown(
  options: { drainSeconds: number; shutdownSeconds: number },
  now: () => number,
): Shutdown {
  const releases: (() => Promise<void>)[] = [];
  let why = "start failed";
  let draining = false;
  let closed = false;
  let deadline = Number.POSITIVE_INFINITY;
  let stopping: Promise<void> | null = null;

  const remainingMs = (): number =>
    Math.max(0, Math.min(deadline - now(), options.shutdownSeconds * 1000));

  async function release(): Promise<void> {
    closed = true;
    const faults: unknown[] = [];
    for (let next = releases.pop(); next; next = releases.pop()) {
      await next().catch((error: unknown) => faults.push(error));
    }
    if (faults.length > 0) {
      throw faults[0];
    }
  }

  async function run(reason: string): Promise<void> {
    why = reason;
    draining = true;
    const { drainSeconds, shutdownSeconds } = options;
    deadline = now() + Math.max(shutdownSeconds, drainSeconds + 1) * 1000;
    await delay(drainSeconds * 1000);
    await release();
  }

  return {
    onRelease: (next) => {
      releases.push(next);
    },
    stop: (reason) => (stopping ??= run(reason)),
    release,
    reason: () => why,
    isDraining: () => draining,
    isClosed: () => closed,
    remainingMs,
    async closeWithin(listener) {
      const force = setTimeout(
        listener.destroy,
        Math.max(0, remainingMs() - RESERVE_MS),
      );
      await listener.close();
      clearTimeout(force);
    },
  };
}
