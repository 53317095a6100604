import type { EventFilter, RedeliveryOutcome } from "../store/records.ts";
import type { EventStatus } from "../domain/event-status.ts";
import type { DeliveryStatus } from "../domain/delivery.ts";
import type { DeliveryQueue, EventReader } from "../store/port.ts";
import { DELIVERY_BATCH } from "./batch.ts";
import { inChunks } from "./chunks.ts";
import type { FindMissing, MissingDelivery } from "./missing-deliveries.ts";
import { paginateEvents } from "./paginate.ts";

/** A delivery to make again, and its event. */
export interface Redeliverable {
  readonly event: Pick<EventStatus, "source" | "id" | "type">;
  readonly delivery: DeliveryStatus;
}

/** What a redelivery does: a delivery is made again, or one that is missing is created. */
export type Planned = Redeliverable | MissingDelivery;

export function isMissing(planned: Planned): planned is MissingDelivery {
  return "missing" in planned;
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
  readonly inFlight: number;
  /** Left alone: their destinations are not configured. */
  readonly destinationGone: number;
  /** Created, or in a preview: to be created. */
  readonly created: number;
}

/** As the management API and `--json` show it: `created` where it was asked for, `destinationGone` where it is not 0. */
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

/** What happens to a delivery that is meant, or in a preview would happen. */
export type PlannedOutcome = RedeliveryOutcome | "created";

/** What `redeliver` would do: the count with `redelivered` 0, and nothing is changed. */
export async function previewRedelivery(
  planned: Iterable<Planned> | AsyncIterable<Planned>,
  options: {
    /** Names of the destinations that are configured; null = unknown. */
    destinations: readonly string[] | null;
    /** Called with each, and awaited. */
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
  // An attempt is in flight, or another of its key goes first.
  return state === "pending" && nextAttemptAt === null
    ? "in_flight"
    : "redelivered";
}

/**
 * Makes deliveries due again and creates those that are missing, in batches, each with its audit entry in the same
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
