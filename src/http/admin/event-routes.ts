import type { EventStatus } from "../../domain/event-status.ts";
import type { Route } from "../../domain/destination.ts";
import type { Request, RequestHandler } from "express";
import { z } from "zod";
import type { ServedDestination } from "../../delivery/destination-status.ts";
import { eventDetailJson, eventJson } from "../../events/event-json.ts";
import { readHeldBack, waitOf } from "../../events/waits.ts";
import type {
  AuditLog,
  DestinationReader,
  EventReader,
} from "../../store/port.ts";
import { AppError } from "../../errors.ts";
import { bodyRead } from "../../audit/event-entries.ts";
import type { AddRoute } from "./admin-route.ts";
import { respondAttachment } from "../attachment-response.ts";
import { respondJson } from "../json-response.ts";
import {
  filterMembers,
  filterOf,
  requireDestination,
  requireEvent,
} from "./event-input.ts";
import { listMembers } from "./list-input.ts";
import { operatorInput } from "./operator-input.ts";
import { checkInput } from "./read-input.ts";

export interface EventRoutesDeps {
  readonly store: EventReader &
    Pick<DestinationReader, "countDeliveries" | "pausedDestinations"> &
    Pick<AuditLog, "append">;
  readonly dispatcher: { readonly served: () => readonly ServedDestination[] };
  /** The current routes. */
  readonly routes: () => readonly Route[];
  readonly now: () => number;
}

/** Maximum number of scan steps for one response. `next` of the response continues the scan. */
const MAX_STEPS = 100;

const listInput = z.strictObject({
  ...filterMembers,
  unrouted: z
    .enum(["true", "false"])
    .transform((text) => text === "true")
    .optional(),
  ...listMembers,
});

export function addEventRoutes(add: AddRoute, deps: EventRoutesDeps): void {
  const { store, now } = deps;

  const configured = (): string[] => deps.routes().map(({ name }) => name);

  /** Returns a function that says what a delivery waits for. It uses the state of this process. */
  async function readWaits() {
    const served = deps.dispatcher
      .served()
      .map(({ destination: { name }, worker }) => ({
        name,
        breaker: worker.breaker.state,
        isRateLimited: worker.isRateLimited,
      }));
    const heldBack = await readHeldBack(store, {
      configured: configured(),
      served,
    });
    const at = now();
    return (delivery: Parameters<typeof waitOf>[0]) =>
      waitOf(delivery, heldBack, at);
  }

  const list: RequestHandler = async (req, res) => {
    const { limit, cursor, ...input } = checkInput(req.query, listInput);
    const filter = filterOf(input, now());
    await requireDestination(store, filter, configured());
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
    const waits = await readWaits();
    respondJson(res, 200, {
      events: events.map((event) => eventJson(event, waits)),
      next: from === null ? null : String(from),
    });
  };

  const show: RequestHandler = async (req, res) => {
    const event = await requireEvent(store, referenceIn(req));
    respondJson(res, 200, eventDetailJson(event, await readWaits()));
  };

  const body: RequestHandler = async (req, res) => {
    const { as: operator } = checkInput(req.query, operatorInput);
    const event = await requireEvent(store, referenceIn(req));
    const bytes = await store.readBody(event.seq);
    if (bytes === null) {
      // The retention has deleted the event just now.
      throw new AppError("not_found", "unknown_event");
    }
    if (req.method !== "HEAD") {
      await store.append(bodyRead(event, operator, now()));
    }
    respondAttachment(res, bytes);
  };

  add("/events", { get: list });
  // Before the path of an event, which also matches it. An id that ends in `/body` has the slash encoded.
  add("/events/*reference/body", { get: body });
  add("/events/*reference", { get: show });
}

/** Returns the rest of the path, decoded. An event id may contain a `/`. */
function referenceIn(req: Request): string {
  const { reference } = req.params as { reference?: string | string[] };
  return typeof reference === "string"
    ? reference
    : (reference ?? []).join("/");
}
