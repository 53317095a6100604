/**
 * The time that due times are stored and judged by, in unix milliseconds. It is the wall clock, except that it never steps
 * back while the process lives: when the wall clock does, it continues with the monotonic one. So a wait that was stored
 * before a step takes as long as it was meant to.
 */
export function createDueClock(clocks: {
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds since any moment. */
  readonly monotonic: () => number;
}): () => number {
  let furthest = Number.NEGATIVE_INFINITY;
  return () => {
    const elapsed = clocks.monotonic();
    furthest = Math.max(furthest, clocks.now() - elapsed);
    // Stored as an integer; the monotonic clock has fractions.
    return Math.round(furthest + elapsed);
  };
}
