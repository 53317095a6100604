import type { EventFilter, RedeliveryOutcome } from "../store/records.ts";
import type { EventStatus } from "../domain/event-status.ts";
import type { DeliveryStatus } from "../domain/delivery.ts";
import type { DeliveryQueue, EventReader } from "../store/port.ts";
import { DELIVERY_BATCH } from "./batch.ts";
import { inChunks } from "./chunks.ts";
import type { FindMissing, MissingDelivery } from "./missing-deliveries.ts";
import { paginateEvents } from "./paginate.ts";

/** A delivery that can be redelivered, and its event. */
export interface Redeliverable {
  readonly event: Pick<EventStatus, "source" | "id" | "type">;
  readonly delivery: DeliveryStatus;
}

/** One item of a redelivery: an existing delivery to redeliver, or a missing one to create. */
export type Planned = Redeliverable | MissingDelivery;

/** Returns whether an item is a missing delivery to create. */
export function isMissing(planned: Planned): planned is MissingDelivery {
  return "missing" in planned;
}

/** Returns the deliveries of an event that match a filter. */
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

/** Sorts events by their acceptance, the order in which events of one key must be delivered. */
export function inOrder<T extends EventStatus>(events: readonly T[]): T[] {
  return events.toSorted((a, b) => a.seq - b.seq);
}

/**
 * Yields the items of a redelivery of events. `findMissing` adds the missing deliveries of each event, even if the filter
 * has a state; null = none are added.
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

/** Yields the items of a redelivery of all events that match a filter, oldest first, so that events of one key keep their order. */
export function plannedForAll(
  store: EventReader,
  filter: EventFilter,
  findMissing: FindMissing | null,
): AsyncGenerator<Planned> {
  const events = paginateEvents(store, {
    // A missing delivery has no state and is not in the store, so every event must be checked.
    filter:
      findMissing === null
        ? filter
        : { ...filter, state: null, destination: null },
    order: "oldest",
    from: null,
  });
  return plannedFor(store, events, filter, findMissing);
}

/** The number of deliveries, by outcome. */
export interface RedeliveryCount {
  /** All existing deliveries that the request selected. */
  readonly matched: number;
  readonly redelivered: number;
  /** Not changed, because an attempt is in flight, or another delivery with the same key is first. */
  readonly inFlight: number;
  /** Not changed, because their destinations are no longer configured. */
  readonly destinationGone: number;
  /** Created. In a preview: would be created. */
  readonly created: number;
}

/** Returns a count as the management API and `--json` show it: `created` only with `route`, `destinationGone` only if not 0. */
export function redeliveryJson(
  { created, destinationGone, ...count }: RedeliveryCount,
  route: boolean,
) {
  return {
    ...count,
    ...(destinationGone > 0 ? { destinationGone } : {}),
    ...(route ? { created } : {}),
  };
}

const NOTHING_REDELIVERED: RedeliveryCount = {
  matched: 0,
  redelivered: 0,
  inFlight: 0,
  destinationGone: 0,
  created: 0,
};

/** What happens to an item of a redelivery, or would happen in a preview. */
export type PlannedOutcome = RedeliveryOutcome | "created";

/** Counts what `redeliver` would do, and changes nothing. `redelivered` is 0. */
export async function previewRedelivery(
  planned: Iterable<Planned> | AsyncIterable<Planned>,
  options: {
    /** Names of the destinations that are configured; null = unknown. */
    destinations: readonly string[] | null;
    /** Called with each item, and awaited. */
    onEach?: (
      planned: Planned,
      outcome: PlannedOutcome,
    ) => void | Promise<void>;
  },
): Promise<RedeliveryCount> {
  const count = { ...NOTHING_REDELIVERED };
  for await (const one of planned) {
    const outcome = expectedOutcome(one, options.destinations);
    count.matched += isMissing(one) ? 0 : 1;
    addTo(count, outcome === "redelivered" ? [] : [outcome]);
    await options.onEach?.(one, outcome);
  }
  return count;
}

function expectedOutcome(
  planned: Planned,
  destinations: readonly string[] | null,
): PlannedOutcome {
  if (isMissing(planned)) {
    return "created";
  }
  const { destination, state, nextAttemptAt } = planned.delivery;
  if (destinations?.includes(destination) === false) {
    return "destination_gone";
  }
  // If no next attempt is due, an attempt is in flight, or another delivery with the same key is first.
  return state === "pending" && nextAttemptAt === null
    ? "in_flight"
    : "redelivered";
}

/**
 * Makes deliveries due again and creates missing ones, in batches. Each delivery gets its audit entry in the same
 * transaction.
 */
export async function redeliver(
  store: Pick<DeliveryQueue, "redeliver" | "addDeliveries">,
  planned: Iterable<Planned> | AsyncIterable<Planned>,
  options: {
    operator: string;
    now: () => number;
    /** Names of the destinations that are configured; null = unknown. */
    destinations: readonly string[] | null;
    /** Called after each batch, and awaited. */
    onBatch?: (batch: readonly Planned[]) => void | Promise<void>;
  },
): Promise<RedeliveryCount> {
  const { operator, destinations } = options;
  const count = { ...NOTHING_REDELIVERED };
  for await (const batch of inChunks(planned, DELIVERY_BATCH)) {
    const existing = batch.filter(
      (one): one is Redeliverable => !isMissing(one),
    );
    const missing = batch.filter(isMissing);
    const now = options.now();
    // Both calls are made in the same turn of the event loop, so they share one transaction.
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
    count.matched += existing.length;
    addTo(count, outcomes);
    count.created += created.filter(Boolean).length;
    await options.onBatch?.(batch);
  }
  return count;
}

function addTo(
  count: { -readonly [K in keyof RedeliveryCount]: number },
  outcomes: readonly PlannedOutcome[],
): void {
  for (const outcome of outcomes) {
    const name = COUNTED_AS[outcome];
    if (name !== null) {
      count[name] += 1;
    }
  }
}

const COUNTED_AS = {
  redelivered: "redelivered",
  in_flight: "inFlight",
  destination_gone: "destinationGone",
  created: "created",
  unknown: null,
} as const satisfies Record<PlannedOutcome, keyof RedeliveryCount | null>;
