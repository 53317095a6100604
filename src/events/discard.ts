import type { EventFilter } from "../store/records.ts";
import type { DeliveryStateName } from "../domain/delivery.ts";
import type { EventStatus } from "../domain/event-status.ts";
import type { DeliveryQueue, EventReader } from "../store/port.ts";
import { DELIVERY_BATCH } from "./batch.ts";
import { inChunks } from "./chunks.ts";
import { paginateEvents } from "./paginate.ts";
import { type Redeliverable, redeliverables } from "./redelivery.ts";

/** The states of deliveries that can be discarded. */
export const DISCARDABLE_STATES = [
  "pending",
  "exhausted",
] as const satisfies readonly DeliveryStateName[];

/** Returns whether a delivery in this state can be discarded. */
export function isDiscardable(state: DeliveryStateName): boolean {
  return DISCARDABLE_STATES.some((one) => one === state);
}

/** Returns the deliveries of an event that match a filter and can be discarded: pending and exhausted ones. */
export function discardables(
  event: EventStatus,
  filter: Pick<EventFilter, "state" | "destination">,
): Redeliverable[] {
  return redeliverables(event, filter).filter(({ delivery }) =>
    isDiscardable(delivery.state),
  );
}

/**
 * Yields the deliveries of all events that match a filter and can be discarded. The newest event comes first, so that
 * a delivery that waits for another of its key is discarded before it becomes due.
 */
export async function* discardablesOf(
  store: EventReader,
  filter: EventFilter,
): AsyncGenerator<Redeliverable> {
  const scan = { filter, order: "newest", from: null } as const;
  for await (const event of paginateEvents(store, scan)) {
    yield* discardables(event, filter);
  }
}

/** The number of deliveries, by outcome. */
export interface DiscardCount {
  /** All deliveries that the request selected. */
  readonly matched: number;
  readonly discarded: number;
  /** Not changed, because an attempt is in flight. */
  readonly inFlight: number;
}

const NOTHING_DISCARDED: DiscardCount = {
  matched: 0,
  discarded: 0,
  inFlight: 0,
};

/** Counts what `discard` would do, and changes nothing. `discarded` is 0. */
export async function previewDiscard(
  deliveries: Iterable<Redeliverable> | AsyncIterable<Redeliverable>,
  /** Called with each delivery, and awaited. */
  onEach?: (
    one: Redeliverable,
    outcome: "discarded" | "in_flight",
  ) => void | Promise<void>,
): Promise<DiscardCount> {
  const count = { ...NOTHING_DISCARDED };
  for await (const one of deliveries) {
    const { inFlight } = one.delivery;
    count.matched += 1;
    count.inFlight += inFlight ? 1 : 0;
    await onEach?.(one, inFlight ? "in_flight" : "discarded");
  }
  return count;
}

/**
 * Discards deliveries in batches, each with its audit entry in the same transaction. A delivery that succeeded in the
 * meantime counts only as matched.
 */
export async function discard(
  store: Pick<DeliveryQueue, "discard">,
  deliveries: Iterable<Redeliverable> | AsyncIterable<Redeliverable>,
  options: {
    operator: string;
    now: () => number;
    /** Called after each batch, and awaited. */
    onBatch?: (batch: readonly Redeliverable[]) => void | Promise<void>;
  },
): Promise<DiscardCount> {
  const count = { ...NOTHING_DISCARDED };
  for await (const batch of inChunks(deliveries, DELIVERY_BATCH)) {
    const outcomes = await store.discard({
      deliveryIds: batch.map(({ delivery }) => delivery.id),
      now: options.now(),
      operator: options.operator,
    });
    count.matched += batch.length;
    count.discarded += outcomes.filter((o) => o === "discarded").length;
    count.inFlight += outcomes.filter((o) => o === "in_flight").length;
    await options.onBatch?.(batch);
  }
  return count;
}
