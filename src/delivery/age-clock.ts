/** A forward jump larger than this is a step of the wall clock. Drift and corrections by a time service are smaller. */
const STEP_MS = 60_000;

/**
 * Creates the clock for the ages of deliveries. It returns the wall time in unix milliseconds, or null while no delivery may
 * expire. When the wall clock is set ahead while the process runs, every pending delivery looks old. So for `maxAgeMs` after
 * such a step the clock returns null. After that time, everything that was pending before the step is really too old.
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
