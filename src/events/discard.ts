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

export function isDiscardable(state: DeliveryStateName): boolean {
  return DISCARDABLE_STATES.some((one) => one === state);
}

/** The deliveries of an event that a filter means and that can be discarded: pending and exhausted ones. */
export function discardables(
  event: EventStatus,
  filter: Pick<EventFilter, "state" | "destination">,
): Redeliverable[] {
  return redeliverables(event, filter).filter(({ delivery }) =>
    isDiscardable(delivery.state),
  );
}

/** Those of all events that fit a filter, newest event first: nothing that waits for its turn becomes due meanwhile. */
export async function* discardablesOf(
  store: EventReader,
  filter: EventFilter,
): AsyncGenerator<Redeliverable> {
  const scan = { filter, order: "newest", from: null } as const;
  for await (const event of paginateEvents(store, scan)) {
    yield* discardables(event, filter);
  }
}

/** What became of the deliveries that were meant. */
export interface DiscardCount {
  readonly matched: number;
  readonly discarded: number;
  /** Left alone: an attempt is in flight. */
  readonly inFlight: number;
}

const NOTHING_DISCARDED: DiscardCount = {
  matched: 0,
  discarded: 0,
  inFlight: 0,
};

/** What `discard` would do: the count with `discarded` 0, and nothing is changed. */
export async function previewDiscard(
  deliveries: Iterable<Redeliverable> | AsyncIterable<Redeliverable>,
  /** Called with each, and awaited. */
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
 * Discards deliveries in batches, each with its audit entry in the same transaction. One that has succeeded meanwhile counts
 * as matched alone.
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
