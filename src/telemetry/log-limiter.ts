/** Bounds how many lines of a kind are logged. */
export interface LogLimiter {
  /** Whether another line of this kind may be logged now. */
  take: (key: string) => boolean;
  /** Reports what was not logged so far. */
  flush: () => void;
}

interface Window {
  taken: number;
  suppressed: number;
  readonly timer: NodeJS.Timeout;
}

/**
 * Lets `max` lines of each key through in `windowMs`, which begin with its first line, and reports at its end how many
 * more there were. Keys are from a bounded set.
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
