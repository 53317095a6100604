import type { EventFilter } from "../store/records.ts";
import type { DeliveryStateName } from "../domain/delivery.ts";

/** The states of a delivery that an operator can filter by. */
export const DELIVERY_STATES = [
  "pending",
  "succeeded",
  "exhausted",
  "discarded",
] as const satisfies readonly DeliveryStateName[];

/**
 * Creates a filter from an operator's request. A missing member does not restrict the result. In `type`, `*` matches any
 * characters.
 */
export function createEventFilter(wanted: {
  state?: DeliveryStateName | undefined;
  source?: string | undefined;
  destination?: string | undefined;
  type?: string | undefined;
  /** Unix milliseconds. */
  since?: number | undefined;
  /** Unix milliseconds, inclusive. */
  until?: number | undefined;
  /** Only events without a delivery. */
  unrouted?: boolean | undefined;
}): EventFilter {
  return {
    state: wanted.state ?? null,
    source: wanted.source ?? null,
    destination: wanted.destination ?? null,
    type: wanted.type ?? null,
    since: wanted.since ?? null,
    until: wanted.until ?? null,
    unrouted: wanted.unrouted ?? false,
  };
}
