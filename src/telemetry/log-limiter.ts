/** Limits how many log lines of each key are written. */
export interface LogLimiter {
  /** Returns whether another line of this key may be logged now. */
  take: (key: string) => boolean;
  /** Ends all windows now and reports their suppressed lines. */
  flush: () => void;
}

interface Window {
  taken: number;
  suppressed: number;
  readonly timer: NodeJS.Timeout;
}

/**
 * Creates a limiter that allows `max` lines of each key in a window of `windowMs`. A window begins with the first line of
 * its key. When it ends, `onSuppressed` gets the number of lines that were not allowed. Keys must come from a bounded set.
 */
export function createLogLimiter(options: {
  max: number;
  windowMs: number;
  onSuppressed: (key: string, count: number) => void;
}): LogLimiter {
  const { max, windowMs, onSuppressed } = options;
  const windows = new Map<string, Window>();

  function end(key: string, { timer, suppressed }: Window): void {
    clearTimeout(timer);
    windows.delete(key);
    if (suppressed > 0) {
      onSuppressed(key, suppressed);
    }
  }

  function begin(key: string): Window {
    const timer = setTimeout(() => {
      end(key, window);
    }, windowMs);
    timer.unref();
    const window: Window = { taken: 0, suppressed: 0, timer };
    windows.set(key, window);
    return window;
  }

  return {
    take(key) {
      const window = windows.get(key) ?? begin(key);
      const isAllowed = window.taken < max;
      if (isAllowed) {
        window.taken += 1;
      } else {
        window.suppressed += 1;
      }
      return isAllowed;
    },
    flush() {
      for (const [key, window] of windows) {
        end(key, window);
      }
    },
  };
}
