import type { EventFilter } from "../store/records.ts";
import type { DeliveryState } from "../domain/delivery.ts";

/** The states of a delivery, as operators name them. */
export const DELIVERY_STATES = [
  "pending",
  "succeeded",
  "exhausted",
] as const satisfies readonly DeliveryState["state"][];

/** The filter of what an operator asks for; what is left out does not restrict. In `type`, `*` stands for any characters. */
export function createEventFilter(wanted: {
  state?: DeliveryState["state"] | undefined;
  source?: string | undefined;
  destination?: string | undefined;
  type?: string | undefined;
  /** Unix milliseconds. */
  since?: number | undefined;
}): EventFilter {
  return {
    state: wanted.state ?? null,
    source: wanted.source ?? null,
    destination: wanted.destination ?? null,
    type: wanted.type ?? null,
    since: wanted.since ?? null,
  };
}
