import type { AttemptResult, DeliveryState } from "../domain/delivery.ts";
import { maxWait, waitAfterAttempt } from "../domain/backoff.ts";
import { MAX_RETRY_AFTER_MS } from "../domain/retry-after.ts";

/** Returns the longest wait that `settle` can set before an attempt, in milliseconds. */
export function longestWait(scheduleMs: readonly number[]): number {
  return Math.max(MAX_RETRY_AFTER_MS, maxWait(scheduleMs));
}

/**
 * Returns the next state of a delivery after an attempt. A pure function. `scheduledAttempt` is the number of the attempt in
 * the schedule, from 1. `now` is in unix milliseconds, `random` in [0, 1). The destination can request a longer wait than
 * the scheduled one with `Retry-After`, up to one hour.
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
  const requested = Math.min(result.retryAfterMs ?? 0, MAX_RETRY_AFTER_MS);
  return { state: "pending", dueAt: now + Math.max(scheduled, requested) };
}
