import type { EventFilter } from "../store/records.ts";
import type { EventStatus } from "../domain/event-status.ts";
import type { DeliveryStatus } from "../domain/delivery.ts";
import type { DeliveryQueue, EventReader } from "../store/port.ts";
import { paginateEvents } from "./paginate.ts";

/** So many deliveries share a transaction: more would hold up accepts. */
const BATCH = 200;

/** A delivery that is to be made again, and whose event it brings. */
export interface Redeliverable {
  readonly event: Pick<EventStatus, "source" | "id" | "type">;
  readonly delivery: DeliveryStatus;
}

/** Whether a redelivery would leave it alone: an attempt is under way, or another of its key goes first. */
export function isUnderWay({ delivery }: Redeliverable): boolean {
  return delivery.state === "pending" && delivery.nextAttemptAt === null;
}

/** The deliveries of an event that a filter means. */
export function redeliverables(
  event: EventStatus,
  { state, destination }: Pick<EventFilter, "state" | "destination">,
): Redeliverable[] {
  return event.deliveries
    .filter(
      (delivery) =>
        (state === null || delivery.state === state) &&
        (destination === null || delivery.destination === destination),
    )
    .map((delivery) => ({ event, delivery }));
}

/** The deliveries of all events that fit a filter, oldest event first, so that those of one key keep their order. */
export async function* redeliverablesOf(
  store: EventReader,
  filter: EventFilter,
): AsyncGenerator<Redeliverable> {
  const scan = { filter, order: "oldest", from: null } as const;
  for await (const event of paginateEvents(store, scan)) {
    yield* redeliverables(event, filter);
  }
}

/** What became of the deliveries that were to be made again. */
export interface RedeliveryCount {
  /** All that were meant. */
  readonly matched: number;
  readonly redelivered: number;
  /** Left alone: an attempt is under way, or another of its key goes first. */
  readonly underWay: number;
}

/**
 * Makes deliveries due again, in batches, each with its audit entry in the same transaction. With `dryRun` it counts
 * them alone.
 */
export async function redeliver(
  store: Pick<DeliveryQueue, "redeliver">,
  deliveries: Iterable<Redeliverable> | AsyncIterable<Redeliverable>,
  options: {
    operator: string;
    dryRun: boolean;
    now: () => number;
    /** Told after each batch, of its deliveries; waited for. */
    onBatch?: (batch: readonly Redeliverable[]) => void | Promise<void>;
  },
): Promise<RedeliveryCount> {
  const count = { matched: 0, redelivered: 0, underWay: 0 };
  let batch: Redeliverable[] = [];

  async function flush(): Promise<void> {
    const done = batch;
    batch = [];
    if (done.length === 0) {
      return;
    }
    count.matched += done.length;
    if (options.dryRun) {
      count.underWay += done.filter(isUnderWay).length;
    } else {
      const now = options.now();
      const outcomes = await store.redeliver({
        deliveryIds: done.map(({ delivery }) => delivery.id),
        now,
        operator: options.operator,
      });
      count.redelivered += outcomes.filter((o) => o === "redelivered").length;
      count.underWay += outcomes.filter((o) => o === "under_way").length;
    }
    await options.onBatch?.(done);
  }

  for await (const delivery of deliveries) {
    batch.push(delivery);
    if (batch.length === BATCH) {
      await flush();
    }
  }
  await flush();
  return count;
}
