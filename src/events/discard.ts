import type { EventFilter } from "../store/records.ts";
import type { EventStatus } from "../domain/event-status.ts";
import type { DeliveryQueue, EventReader } from "../store/port.ts";
import { inChunks } from "./chunks.ts";
import { paginateEvents } from "./paginate.ts";
import { type Redeliverable, redeliverables } from "./redelivery.ts";

/** So many deliveries share a transaction: more would hold up accepts. */
const BATCH = 200;

/** The deliveries of an event that a filter means and that can be discarded: pending and exhausted ones. */
export function discardables(
  event: EventStatus,
  filter: Pick<EventFilter, "state" | "destination">,
): Redeliverable[] {
  return redeliverables(event, filter).filter(
    ({ delivery: { state } }) => state === "pending" || state === "exhausted",
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

/**
 * Discards deliveries in batches, each with its audit entry in the same transaction. With `dryRun` it only counts them. One
 * that has succeeded meanwhile counts as matched alone.
 */
export async function discard(
  store: Pick<DeliveryQueue, "discard">,
  deliveries: Iterable<Redeliverable> | AsyncIterable<Redeliverable>,
  options: {
    operator: string;
    dryRun: boolean;
    now: () => number;
    /** Called after each batch, and awaited. */
    onBatch?: (batch: readonly Redeliverable[]) => void | Promise<void>;
  },
): Promise<DiscardCount> {
  const count = { matched: 0, discarded: 0, inFlight: 0 };
  for await (const batch of inChunks(deliveries, BATCH)) {
    count.matched += batch.length;
    if (options.dryRun) {
      count.inFlight += batch.filter((one) => one.delivery.underWay).length;
    } else {
      const outcomes = await store.discard({
        deliveryIds: batch.map(({ delivery }) => delivery.id),
        now: options.now(),
        operator: options.operator,
      });
      count.discarded += outcomes.filter((o) => o === "discarded").length;
      count.inFlight += outcomes.filter((o) => o === "in_flight").length;
    }
    await options.onBatch?.(batch);
  }
  return count;
}
