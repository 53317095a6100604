import type { RateLimit } from "../domain/destination.ts";

/**
 * Keeps the attempts on a destination to its rate limit. The one of this file counts those of this process; one that
 * several processes share would have the same interface.
 */
export interface AttemptRate {
  /** How many of `free` attempts may start now. */
  room: (free: number) => number;
  /** Counts attempts that start now. */
  started: (count: number) => void;
  /** How long until an attempt may start, in milliseconds; 0 = one may start now. */
  waitMs: () => number;
}

/**
 * At most `attempts` begin in any `perMs` milliseconds, wherever they are taken: an attempt may start when the one
 * that many before it started `perMs` ago.
 */
export function createAttemptRate(
  { attempts, perMs }: RateLimit,
  deps: {
    /** Milliseconds of a monotonic clock. */
    monotonic: () => number;
  },
): AttemptRate {
  const { monotonic } = deps;
  /** When the latest ones started; the oldest is at `oldest`. */
  const starts = new Float64Array(attempts).fill(Number.NEGATIVE_INFINITY);
  let oldest = 0;

  const freeAt = (index: number): number =>
    (starts[(oldest + index) % attempts] ?? 0) + perMs;

  return {
    room(free) {
      const now = monotonic();
      let room = 0;
      while (room < Math.min(free, attempts) && freeAt(room) <= now) {
        room += 1;
      }
      return room;
    },
    started(count) {
      const now = monotonic();
      for (let n = 0; n < count; n += 1) {
        starts[oldest] = now;
        oldest = (oldest + 1) % attempts;
      }
    },
    waitMs: () => Math.max(0, freeAt(0) - monotonic()),
  };
}
