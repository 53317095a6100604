import type { DeliveryStateName, DeliveryStatus } from "../domain/delivery.ts";
import type { EventStatus } from "../domain/event-status.ts";
import { createGlob } from "../domain/glob.ts";
import { AFTER_ANOTHER } from "./limits.ts";
import { CLOCK_MARGIN_MS } from "./clock-margin.ts";
import type { EventFilter, EventScan } from "./records.ts";

/* The rules for scans of events that all drivers share. */

/** The maximum number of events that one step examines. */
export const SCAN_STEP = 500;

/**
 * Whether all events that a scan has not examined are outside the filter's times. Events are in order of time, unless a clock
 * was set back.
 */
export function isScanPast(
  { filter, order }: Pick<EventScan, "filter" | "order">,
  step: readonly Pick<EventStatus, "receivedAt">[],
): boolean {
  const { since, until } = filter;
  return order === "newest"
    ? since !== null &&
        step.every(({ receivedAt }) => receivedAt < since - CLOCK_MARGIN_MS)
    : until !== null &&
        step.every(({ receivedAt }) => receivedAt > until + CLOCK_MARGIN_MS);
}

/** Returns a function that tests an event without its deliveries. */
export function createHeadFilter({
  source,
  since,
  until,
  type,
}: EventFilter): (event: Omit<EventStatus, "deliveries">) => boolean {
  const typeFits = createGlob(type ?? "*");
  return (event) =>
    (source === null || event.source === source) &&
    (since === null || event.receivedAt >= since) &&
    (until === null || event.receivedAt <= until) &&
    typeFits(event.type);
}

export function deliveriesFit(
  deliveries: readonly DeliveryStatus[],
  { state, destination, unrouted }: EventFilter,
): boolean {
  if (unrouted === true) {
    return deliveries.length === 0;
  }
  return (
    (state === null && destination === null) ||
    deliveries.some(
      (delivery) =>
        (state === null || delivery.state === state) &&
        (destination === null || delivery.destination === destination),
    )
  );
}

/** A delivery as it is stored. `dueAt` is the end of its lease if it is leased. */
export interface StoredDelivery {
  readonly id: number;
  readonly destination: string;
  readonly state: DeliveryStateName;
  readonly attempt: number;
  readonly leased: boolean;
  readonly dueAt: number;
}

export function deliveryStatus(
  { id, destination, state, attempt, leased, dueAt }: StoredDelivery,
  now: number,
): DeliveryStatus {
  // A lease that has ended belongs to a dead process, so its attempt is not in flight.
  const inFlight = state === "pending" && leased && dueAt > now;
  const waits = state === "pending" && !inFlight && dueAt < AFTER_ANOTHER;
  return {
    id,
    destination,
    state,
    attempt,
    inFlight,
    nextAttemptAt: waits ? dueAt : null,
  };
}
