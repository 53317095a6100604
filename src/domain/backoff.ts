const JITTER = 0.2;

/** Returns the longest possible wait of a schedule, jitter included, in milliseconds. */
export function maxWait(scheduleMs: readonly number[]): number {
  return Math.ceil(Math.max(0, ...scheduleMs) * (1 + JITTER));
}

/**
 * Returns the wait after a failed attempt in milliseconds: the scheduled wait ±20 %. Null if the schedule has no further
 * attempt. `scheduledAttempt` counts from 1. `random` is in [0, 1).
 */
export function waitAfterAttempt(
  scheduledAttempt: number,
  scheduleMs: readonly number[],
  random: number,
): number | null {
  const scheduled = scheduleMs[scheduledAttempt - 1];
  if (scheduled === undefined) {
    return null;
  }
  return Math.round(scheduled * (1 - JITTER + 2 * JITTER * random));
}
