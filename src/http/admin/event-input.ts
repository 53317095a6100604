import { z } from "zod";
import type { EventDetail } from "../../domain/event-status.ts";
import { AppError } from "../../errors.ts";
import {
  createEventFilter,
  DELIVERY_STATES,
} from "../../events/event-filter.ts";
import { findEvent } from "../../events/event-reference.ts";
import {
  hasDeliveries,
  unknownDestination,
} from "../../events/known-destination.ts";
import type { DestinationReader, EventReader } from "../../store/port.ts";
import type { EventFilter } from "../../store/records.ts";
import { timeOf } from "./list-input.ts";
import { operatorName } from "./operator-input.ts";
import { badInput } from "./read-input.ts";

const MAX_IDS = 1000;

/** The members that filter events, in a query or in a body. */
export const filterMembers = {
  state: z.enum(DELIVERY_STATES).optional(),
  source: z.string().optional(),
  destination: z.string().optional(),
  type: z.string().max(256).optional(),
  since: z.string().optional(),
  until: z.string().optional(),
};

/** The members of a request that changes many deliveries, chosen by ids of events or by a filter. */
export const bulkMembers = {
  ...filterMembers,
  ids: z.array(z.string()).min(1).max(MAX_IDS).optional(),
  all: z.boolean().default(false),
  dryRun: z.boolean().default(false),
  as: operatorName,
};

type FilterInput = z.infer<z.ZodObject<typeof filterMembers>> & {
  readonly unrouted?: boolean | undefined;
};

export function filterOf(input: FilterInput, now: number): EventFilter {
  return createEventFilter({
    ...input,
    since: timeOf("since", input, now),
    until: timeOf("until", input, now),
  });
}

/** Throws AppError `bad_request` unless the input has `ids`, a filter or `all`. Only two filters may be combined with `ids`. */
export function requireChoice(
  input: z.infer<z.ZodObject<typeof bulkMembers>> & {
    readonly unrouted?: boolean | undefined;
  },
): void {
  const { ids, all, state, source, destination, type, since, until, unrouted } =
    input;
  const others = source ?? type ?? since ?? until ?? unrouted;
  if (
    ids === undefined &&
    !all &&
    (state ?? destination ?? others) === undefined
  ) {
    throw badInput(
      "the request chooses no events; give ids, a filter or all: true",
    );
  }
  if (ids !== undefined && (all || others !== undefined)) {
    throw badInput(
      "ids can only be combined with state and destination; leave out the other filters",
    );
  }
}

/** Throws AppError `bad_request` if a destination is not configured and has no deliveries. */
export async function requireDestination(
  store: EventReader & Pick<DestinationReader, "countDeliveries">,
  { destination }: EventFilter,
  configured: readonly string[],
): Promise<void> {
  if (
    destination !== null &&
    !configured.includes(destination) &&
    !(await hasDeliveries(store, destination))
  ) {
    throw badInput(unknownDestination(destination, configured));
  }
}

/** Returns the event of a reference. Throws AppError if there is none, or more than one. */
export async function requireEvent(
  store: EventReader,
  reference: string,
): Promise<EventDetail> {
  const found = await findEvent(store, reference);
  switch (found.found) {
    case "one":
      return found.event;
    case "none":
      throw new AppError("not_found", "unknown_event", {
        detail: `there is no event ${JSON.stringify(reference)}; GET /api/events lists the events`,
      });
    case "several":
      throw badInput(
        `more than one source has an event with this id; give SOURCE/ID with one of these sources: ${found.sources.join(", ")}`,
      );
  }
}

/** Returns the events of several references, without duplicates. Throws AppError like `requireEvent`. */
export async function requireEvents(
  store: EventReader,
  references: readonly string[],
): Promise<EventDetail[]> {
  const events = new Map<number, EventDetail>();
  for (const reference of new Set(references)) {
    const event = await requireEvent(store, reference);
    events.set(event.seq, event);
  }
  return [...events.values()];
}
