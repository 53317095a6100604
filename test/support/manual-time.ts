import { cleanUp } from "./cleanup.ts";

/** Shorter intervals keep to real time: a stop waits with them. */
const MIN_MS = 500;

interface ManualInterval {
  readonly everyMs: number;
  readonly work: () => void;
  dueAt: number;
}

export interface ManualTime {
  /** Moves the time. An interval that is due more than once in a move runs once, as one does after a delay. */
  readonly advance: (ms: number) => void;
  /** The same, with `performance.now()`: what measures how long it takes finds that it took this long. */
  readonly advanceAll: (ms: number) => void;
}

/** The time of the intervals that are begun from now on in this test: it stands still unless it is moved. */
export function manualTime(): ManualTime {
  const { setInterval, clearInterval, performance } = globalThis;
  const realNow = performance.now.bind(performance);
  let skipped = 0;
  const intervals = new Set<ManualInterval>();
  let elapsed = 0;

  const fake = (work: () => void, everyMs: number) => {
    if (everyMs < MIN_MS) {
      return setInterval(work, everyMs);
    }
    const interval = { work, everyMs, dueAt: elapsed + everyMs };
    intervals.add(interval);
    const handle = Object.assign(interval, {
      ref: () => handle,
      unref: () => handle,
    });
    return handle as unknown as NodeJS.Timeout;
  };
  globalThis.setInterval = fake as typeof setInterval;
  globalThis.clearInterval = (handle) => {
    if (!intervals.delete(handle as unknown as ManualInterval)) {
      clearInterval(handle);
    }
  };
  performance.now = () => realNow() + skipped;
  cleanUp(() => {
    Object.assign(globalThis, { setInterval, clearInterval });
    performance.now = realNow;
  });

  function advance(ms: number): void {
    elapsed += ms;
    for (const interval of [...intervals]) {
      if (interval.dueAt <= elapsed && intervals.has(interval)) {
        interval.dueAt = elapsed + interval.everyMs;
        interval.work();
      }
    }
  }

  return {
    advance,
    advanceAll(ms) {
      skipped += ms;
      advance(ms);
    },
  };
}
