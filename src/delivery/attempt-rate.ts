import type { RateLimit } from "../domain/destination.ts";

/**
 * Limits the rate of attempts on a destination. The implementation in this file counts the attempts of this process. A limit
 * that several processes share would have the same interface.
 */
export interface AttemptRate {
  /** Returns how many attempts may start now, at most `free`. */
  room: (free: number) => number;
  /** Counts attempts that start now. */
  started: (count: number) => void;
  /** Returns the time until the next attempt may start, in milliseconds; 0 = now. */
  waitMs: () => number;
}

/**
 * Creates a sliding limit: at most `attempts` attempts start in any period of `perMs` milliseconds. An attempt may start if
 * the start of the attempt `attempts` places before it is at least `perMs` ago.
 */
export function createAttemptRate(
  { attempts, perMs }: RateLimit,
  deps: {
    /** Milliseconds of a monotonic clock. */
    monotonic: () => number;
  },
): AttemptRate {
  const { monotonic } = deps;
  /** A ring with the start times of the latest attempts. The oldest is at index `oldest`. */
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
