import type { EventFilter } from "../store/records.ts";
import type { EventStatus } from "../domain/event-status.ts";
import type { DeliveryStatus } from "../domain/delivery.ts";
import type { DeliveryQueue, EventReader } from "../store/port.ts";
import { inChunks } from "./chunks.ts";
import type { FindMissing, MissingDelivery } from "./missing-deliveries.ts";
import { paginateEvents } from "./paginate.ts";

/** So many deliveries share a transaction: more would hold up accepts. */
const BATCH = 200;

/** A delivery that is to be made again, and whose event it brings. */
export interface Redeliverable {
  readonly event: Pick<EventStatus, "source" | "id" | "type">;
  readonly delivery: DeliveryStatus;
}

/** What a redelivery does: a delivery is made again, or one that is missing is created. */
export type Planned = Redeliverable | MissingDelivery;

export function isMissing(planned: Planned): planned is MissingDelivery {
  return "missing" in planned;
}

/** Whether a redelivery would leave it alone: an attempt is in flight, or another of its key goes first. */
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

/** Events in the order of their acceptance, in which those of one key are to go. */
export function inOrder<T extends EventStatus>(events: readonly T[]): T[] {
  return events.toSorted((a, b) => a.seq - b.seq);
}

/**
 * What a redelivery of events does, one after another. `findMissing`: also creates what it finds, whatever the state that the
 * filter restricts redeliveries to; null = creates nothing.
 */
export async function* plannedFor(
  store: EventReader,
  events: Iterable<EventStatus> | AsyncIterable<EventStatus>,
  filter: Pick<EventFilter, "state" | "destination">,
  findMissing: FindMissing | null,
): AsyncGenerator<Planned> {
  for await (const event of events) {
    yield* redeliverables(event, filter);
    if (findMissing !== null) {
      yield* await findMissing(store, event);
    }
  }
}

/** What a redelivery of all events that fit a filter does, oldest event first, so that those of one key keep their order. */
export function plannedForAll(
  store: EventReader,
  filter: EventFilter,
  findMissing: FindMissing | null,
): AsyncGenerator<Planned> {
  const events = paginateEvents(store, {
    // What is missing cannot be filtered by.
    filter:
      findMissing === null
        ? filter
        : { ...filter, state: null, destination: null },
    order: "oldest",
    from: null,
  });
  return plannedFor(store, events, filter, findMissing);
}

/** What became of the deliveries that were meant. */
export interface RedeliveryCount {
  /** All that exist and were meant. */
  readonly matched: number;
  readonly redelivered: number;
  /** Left alone: an attempt is in flight, or another of its key goes first. */
  readonly underWay: number;
  /** Left alone: their destinations are not configured. */
  readonly gone: number;
  /** Created, or with `dryRun`: to be created. */
  readonly created: number;
}

/** As the management API and `--json` show it: `created` where it was asked for, `gone` where there is something to say. */
export function redeliveryJson(
  { created, gone, ...count }: RedeliveryCount,
  route: boolean,
) {
  return {
    ...count,
    ...(gone > 0 ? { gone } : {}),
    ...(route ? { created } : {}),
  };
}

export const NOTHING_REDELIVERED: RedeliveryCount = {
  matched: 0,
  redelivered: 0,
  underWay: 0,
  gone: 0,
  created: 0,
};

/**
 * Makes deliveries due again and creates those that are missing, in batches, each with its audit entry in the same
 * transaction. With `dryRun` it only counts them.
 */
export async function redeliver(
  store: Pick<DeliveryQueue, "redeliver" | "addDeliveries">,
  planned: Iterable<Planned> | AsyncIterable<Planned>,
  options: {
    operator: string;
    dryRun: boolean;
    now: () => number;
    /** Names of the destinations that are configured; null = unknown. */
    destinations: readonly string[] | null;
    /** Called after each batch, and awaited. */
    onBatch?: (batch: readonly Planned[]) => void | Promise<void>;
  },
): Promise<RedeliveryCount> {
  const { operator, destinations } = options;
  const count = { ...NOTHING_REDELIVERED };

  async function apply(
    existing: readonly Redeliverable[],
    missing: readonly MissingDelivery[],
  ): Promise<void> {
    const now = options.now();
    // Requested together, they share a transaction.
    const [outcomes, created] = await Promise.all([
      existing.length === 0
        ? []
        : store.redeliver({
            deliveryIds: existing.map(({ delivery }) => delivery.id),
            now,
            operator,
            ...(destinations === null ? {} : { destinations }),
          }),
      missing.length === 0
        ? []
        : store.addDeliveries({
            deliveries: missing.map(({ event, missing: one }) => ({
              ...one,
              eventSeq: event.seq,
            })),
            now,
            operator,
          }),
    ]);
    count.redelivered += outcomes.filter((o) => o === "redelivered").length;
    count.underWay += outcomes.filter((o) => o === "under_way").length;
    count.gone += outcomes.filter((o) => o === "destination_gone").length;
    count.created += created.filter(Boolean).length;
  }

  function preview(
    existing: readonly Redeliverable[],
    missing: readonly MissingDelivery[],
  ): void {
    const isGone = ({ delivery }: Redeliverable): boolean =>
      destinations?.includes(delivery.destination) === false;
    const left = existing.filter((one) => !isGone(one));
    count.gone += existing.length - left.length;
    count.underWay += left.filter(isUnderWay).length;
    count.created += missing.length;
  }

  for await (const batch of inChunks(planned, BATCH)) {
    const existing = batch.filter(
      (one): one is Redeliverable => !isMissing(one),
    );
    const missing = batch.filter(isMissing);
    count.matched += existing.length;
    if (options.dryRun) {
      preview(existing, missing);
    } else {
      await apply(existing, missing);
    }
    await options.onBatch?.(batch);
  }
  return count;
}
