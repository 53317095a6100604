const JITTER = 0.2;

/** The longest wait of a schedule, in milliseconds. */
export function maxWait(scheduleMs: readonly number[]): number {
  return Math.ceil(Math.max(0, ...scheduleMs) * (1 + JITTER));
}

/**
 * The wait in milliseconds after the failed attempt that the schedule counts as `scheduledAttempt` (from 1): the
 * scheduled wait ±20 %, or null when the schedule has no further attempt. `random` is in [0, 1).
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
