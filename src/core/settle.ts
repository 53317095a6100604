import { waitAfterAttempt } from "./backoff.ts";
import { type AttemptResult, type DeliveryState } from "./model.ts";

/** The next state of a delivery: pure, so that it can be tested as a table. `now` in unix milliseconds. */
export function settle(input: {
  attempt: number;
  result: AttemptResult;
  scheduleMs: readonly number[];
  now: number;
  random: number;
}): DeliveryState {
  const { attempt, result, scheduleMs, now, random } = input;
  if (result.ok) {
    return { state: "succeeded" };
  }
  if (result.gone) {
    return { state: "exhausted" };
  }
  const wait = waitAfterAttempt(attempt, scheduleMs, random);
  return wait === null
    ? { state: "exhausted" }
    : { state: "pending", dueAt: now + wait };
}
