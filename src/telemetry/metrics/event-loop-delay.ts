import { monitorEventLoopDelay } from "node:perf_hooks";

/** How often the delay is sampled, in milliseconds. */
const RESOLUTION_MS = 20;

/** After this time, one of the two monitors starts again, in milliseconds. */
const ROTATE_MS = 10_000;

export interface EventLoopDelay {
  readonly start: () => void;
  readonly stop: () => Promise<void>;
  /** Returns the 99th percentile of the last 10 to 20 s, in seconds. Reading it does not change it. */
  readonly p99: () => number;
}

/** Measures how late the event loop runs its timers. Two monitors alternate, so one of them always covers at least 10 s. */
export function createEventLoopDelay(): EventLoopDelay {
  const monitor = (): ReturnType<typeof monitorEventLoopDelay> =>
    monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  let older = monitor();
  let newer = monitor();
  let timer: NodeJS.Timeout | undefined;

  function rotate(): void {
    [older, newer] = [newer, older];
    newer.reset();
  }

  return {
    start() {
      older.enable();
      newer.enable();
      timer = setInterval(rotate, ROTATE_MS).unref();
    },
    async stop() {
      clearInterval(timer);
      older.disable();
      newer.disable();
    },
    p99() {
      // A sample is the time between two timers, which includes the resolution.
      const delayMs = older.percentile(99) / 1e6 - RESOLUTION_MS;
      return Math.max(0, delayMs) / 1000;
    },
  };
}
