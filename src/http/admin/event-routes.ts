import type { EventFilter } from "../../store/records.ts";
import type { EventDetail, EventStatus } from "../../domain/event-status.ts";
import type { Request, RequestHandler } from "express";
import { z } from "zod";
import {
  createEventFilter,
  DELIVERY_STATES,
} from "../../events/event-filter.ts";
import { eventDetailJson, eventJson } from "../../events/event-json.ts";
import { findEvent } from "../../events/event-reference.ts";
import {
  redeliver,
  redeliverables,
  redeliverablesOf,
} from "../../events/redelivery.ts";
import type { DeliveryQueue, EventReader } from "../../store/port.ts";
import { AppError } from "../../errors.ts";
import type { AddRoute } from "./admin-route.ts";
import { respondJson } from "../json-response.ts";
import { operatorInput, operatorName } from "./operator-input.ts";
import { listMembers, timeOf } from "./list-input.ts";
import { badInput, checkInput, readInput } from "./read-input.ts";

export interface EventRoutesDeps {
  readonly store: EventReader & Pick<DeliveryQueue, "redeliver">;
  readonly now: () => number;
}

const MAX_IDS = 1000;

/** So many steps of a scan one answer takes: the next one goes on from there. */
const MAX_STEPS = 100;

const filterMembers = {
  state: z.enum(DELIVERY_STATES).optional(),
  source: z.string().optional(),
  destination: z.string().optional(),
  type: z.string().max(256).optional(),
  since: z.string().optional(),
};

const listInput = z.strictObject({
  ...filterMembers,
  ...listMembers,
});

const redeliverInput = z.strictObject({
  ...filterMembers,
  ids: z.array(z.string()).min(1).max(MAX_IDS).optional(),
  all: z.boolean().default(false),
  dryRun: z.boolean().default(false),
  as: operatorName,
});

type FilterInput = z.infer<z.ZodObject<typeof filterMembers>>;

export function addEventRoutes(add: AddRoute, deps: EventRoutesDeps): void {
  const { store, now } = deps;

  function filterOf(input: FilterInput): EventFilter {
    return createEventFilter({
      ...input,
      since: timeOf("since", input, now()),
    });
  }

  const list: RequestHandler = async (req, res) => {
    const { limit, cursor, ...input } = checkInput(req.query, listInput);
    const filter = filterOf(input);
    const events: EventStatus[] = [];
    let from = cursor ?? null;
    let steps = 0;
    do {
      const step = await store.scanEvents({
        filter,
        order: "newest",
        from,
        limit: limit - events.length,
      });
      events.push(...step.events);
      from = step.next;
      steps += 1;
    } while (from !== null && events.length < limit && steps < MAX_STEPS);
    respondJson(res, 200, {
      events: events.map(eventJson),
      next: from === null ? null : String(from),
    });
  };

  async function requireEvent(reference: string): Promise<EventDetail> {
    const found = await findEvent(store, reference);
    switch (found.found) {
      case "one":
        return found.event;
      case "none":
        throw new AppError("not_found", "unknown_event", {
          detail: `there is no event ${JSON.stringify(reference)}`,
        });
      case "several":
        throw badInput(
          `several sources have that id; say SOURCE/ID, with one of ${found.sources.join(", ")}`,
        );
    }
  }

  const show: RequestHandler = async (req, res) => {
    const event = await requireEvent(splat(req));
    respondJson(res, 200, eventDetailJson(event));
  };

  const redeliverOne: RequestHandler = async (req, res) => {
    const { id } = req.params as { id: string };
    const { as } = await readInput(res, operatorInput);
    const [outcome] = /^\d{1,15}$/.test(id)
      ? await store.redeliver({
          deliveryIds: [Number(id)],
          now: now(),
          operator: as,
        })
      : [];
    if (outcome === "under_way") {
      throw new AppError("attempt_under_way");
    }
    if (outcome !== "redelivered") {
      throw new AppError("not_found", "unknown_delivery", {
        detail: "there is no such delivery; GET /api/events/:id shows them",
      });
    }
    respondJson(res, 200, { redelivered: 1 });
  };

  const redeliverMany: RequestHandler = async (_req, res) => {
    const input = await readInput(res, redeliverInput);
    const { ids, all, dryRun, as: operator, ...members } = input;
    const filter = filterOf(members);
    const narrowed = Object.values(members).some((m) => m !== undefined);
    if (ids === undefined && !all && !narrowed) {
      throw badInput("give ids, or all: true, or a filter");
    }
    const { source, type, since } = members;
    if (ids !== undefined && (all || (source ?? type ?? since) !== undefined)) {
      throw badInput("ids go with state and destination alone");
    }
    const options = { operator, dryRun, now };
    if (ids === undefined) {
      const state = filter.state ?? "exhausted";
      const meant = redeliverablesOf(store, { ...filter, state });
      respondJson(res, 200, {
        dryRun,
        ...(await redeliver(store, meant, options)),
      });
      return;
    }
    const events: EventDetail[] = [];
    for (const id of new Set(ids)) {
      const event = await requireEvent(id);
      if (!events.some(({ seq }) => seq === event.seq)) {
        events.push(event);
      }
    }
    const meant = events.flatMap((event) => redeliverables(event, filter));
    respondJson(res, 200, {
      dryRun,
      ...(await redeliver(store, meant, options)),
    });
  };

  add("/events", { get: list });
  add("/events/redeliver", { post: redeliverMany });
  add("/events/*reference", { get: show });
  add("/deliveries/:id/redeliver", { post: redeliverOne });
}

/** The rest of the path, decoded: an event id may hold a `/`. */
function splat(req: Request): string {
  const { reference } = req.params as { reference?: string | string[] };
  return typeof reference === "string"
    ? reference
    : (reference ?? []).join("/");
}
