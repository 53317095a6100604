import type { DeliveryState } from "./delivery.ts";
import type { Destination } from "./destination.ts";

/** After this many process deaths during its attempts, a delivery is given up. */
const MAX_CRASHES = 5;

/**
 * The state of a delivery whose process died during an attempt. It goes on at once: what is lost does not count against
 * `RETRY_SCHEDULE`. Only a handler can end the process, so only its deliveries are given up after five deaths.
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
