import { cleanUp } from "./cleanup.ts";
import { eventually } from "./eventually.ts";

/** Shorter intervals run in real time, because a shutdown uses them to wait. */
const MIN_MS = 500;

interface ManualInterval {
  readonly everyMs: number;
  readonly work: () => void;
  dueAt: number;
}

export interface ManualTime {
  /** Advances the time. An interval that is due several times runs once, as after a delay. */
  readonly advance: (ms: number) => void;
  /** Advances the time minute by minute until `condition` holds. Work in progress is not started again. */
  readonly passMinutesUntil: (
    condition: () => boolean | Promise<boolean>,
  ) => Promise<void>;
}

/** Controls the time of the intervals that start from now on in this test. It advances only when the test moves it. */
export function manualTime(): ManualTime {
  const { setInterval, clearInterval } = globalThis;
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
  cleanUp(() => {
    Object.assign(globalThis, { setInterval, clearInterval });
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
    async passMinutesUntil(condition) {
      await eventually(() => {
        advance(60_000);
        return condition();
      });
    },
  };
}
