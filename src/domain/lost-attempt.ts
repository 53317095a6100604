import type { DeliveryState } from "./delivery.ts";
import type { Destination } from "./destination.ts";

/** A delivery is exhausted when the process has died during this many of its attempts. */
const MAX_CRASHES = 5;

/**
 * Returns the state of a delivery after the process died during its attempt. The next attempt is due at once, because a lost
 * attempt does not count in `RETRY_SCHEDULE`. Only a handler can end the process, so only deliveries to handlers are
 * exhausted after five deaths.
 */
export function afterLostAttempt(lost: {
  kind: Destination["kind"];
  crashes: number;
  now: number;
}): DeliveryState {
  const { kind, crashes, now } = lost;
  return kind === "handler" && crashes >= MAX_CRASHES
    ? { state: "exhausted" }
    : { state: "pending", dueAt: now };
}
