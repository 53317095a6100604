/**
 * Creates the clock for due times, in unix milliseconds. It follows the wall clock but never steps back while the process
 * runs: when the wall clock steps back, it continues with the monotonic clock. So a wait that was stored before the step
 * keeps its length.
 */
export function createDueClock(clocks: {
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds of a monotonic clock. */
  readonly monotonic: () => number;
}): () => number {
  let furthest = Number.NEGATIVE_INFINITY;
  return () => {
    const elapsed = clocks.monotonic();
    furthest = Math.max(furthest, clocks.now() - elapsed);
    // Due times are stored as integers, but the monotonic clock has fractions.
    return Math.round(furthest + elapsed);
  };
}
