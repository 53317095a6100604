/** A step of the wall clock, unlike its drift and the corrections of a time service. */
const STEP_MS = 60_000;

/**
 * The time that the ages of deliveries are judged by, in unix milliseconds; null while no delivery may be found too old. Ages
 * begin with the wall clock, so they are judged by it. When it is set ahead while the process lives, everything that is
 * pending would seem old: for `maxAgeMs` after that none is, and then whatever was pending before is.
 */
export function createAgeClock(
  clocks: {
    /** Unix milliseconds. */
    readonly now: () => number;
    /** Milliseconds of a monotonic clock. */
    readonly monotonic: () => number;
  },
  maxAgeMs: number,
): () => number | null {
  let offset = clocks.now() - clocks.monotonic();
  let heldUntil = Number.NEGATIVE_INFINITY;
  return () => {
    const elapsed = clocks.monotonic();
    const wall = clocks.now();
    if (wall - elapsed > offset + STEP_MS) {
      heldUntil = elapsed + maxAgeMs;
    }
    offset = wall - elapsed;
    return elapsed < heldUntil ? null : wall;
  };
}
