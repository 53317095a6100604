import type { AttemptResult, DeliveryState } from "../domain/delivery.ts";
import { maxWait, waitAfterAttempt } from "../domain/backoff.ts";
import { MAX_RETRY_AFTER_MS } from "../domain/retry-after.ts";

/** The longest time that `settle` puts an attempt off, in milliseconds. */
export function longestWait(scheduleMs: readonly number[]): number {
  return Math.max(MAX_RETRY_AFTER_MS, maxWait(scheduleMs));
}

/**
 * The next state of a delivery after an attempt: pure, so that it can be tested as a table. `scheduledAttempt` is the
 * attempt as the schedule counts it, from 1; `now` is in unix milliseconds, `random` in [0, 1). What the destination
 * asked for with `Retry-After` is granted between the scheduled wait and one hour.
 */
export function settle(input: {
  scheduledAttempt: number;
  result: AttemptResult;
  scheduleMs: readonly number[];
  now: number;
  random: number;
}): DeliveryState {
  const { scheduledAttempt, result, scheduleMs, now, random } = input;
  if (result.ok) {
    return { state: "succeeded" };
  }
  if (result.gone) {
    return { state: "exhausted" };
  }
  const scheduled = waitAfterAttempt(scheduledAttempt, scheduleMs, random);
  if (scheduled === null) {
    return { state: "exhausted" };
  }
  const asked = Math.min(result.retryAfterMs ?? 0, MAX_RETRY_AFTER_MS);
  return { state: "pending", dueAt: now + Math.max(scheduled, asked) };
}
