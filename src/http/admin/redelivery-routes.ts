import type { RequestHandler } from "express";
import { z } from "zod";
import type { Route } from "../../domain/destination.ts";
import { AppError } from "../../errors.ts";
import {
  discard,
  discardables,
  discardablesOf,
  isDiscardable,
  previewDiscard,
} from "../../events/discard.ts";
import {
  configuredAre,
  goneDestinations,
  unknownDestination,
} from "../../events/known-destination.ts";
import { createFindMissing } from "../../events/missing-deliveries.ts";
import {
  inOrder,
  plannedFor,
  plannedForAll,
  previewRedelivery,
  redeliver,
  type RedeliveryCount,
  redeliveryJson,
  redeliverables,
} from "../../events/redelivery.ts";
import type {
  DeliveryQueue,
  DestinationReader,
  EventReader,
  Store,
} from "../../store/port.ts";
import { respondJson } from "../json-response.ts";
import type { AddRoute } from "./admin-route.ts";
import {
  bulkMembers,
  filterOf,
  requireChoice,
  requireDestination,
  requireEvents,
} from "./event-input.ts";
import { operatorInput } from "./operator-input.ts";
import { badInput, readInput } from "./read-input.ts";

export interface RedeliveryRoutesDeps {
  readonly store: EventReader &
    Pick<DestinationReader, "countDeliveries"> &
    Pick<DeliveryQueue, "redeliver" | "addDeliveries" | "discard"> &
    Pick<Store, "clock">;
  /** The current routes. */
  readonly routes: () => readonly Route[];
  readonly now: () => number;
}

const redeliverInput = z.strictObject({
  ...bulkMembers,
  unrouted: z.boolean().optional(),
  route: z.boolean().default(false),
});

const discardInput = z.strictObject(bulkMembers);

/** Adds the routes that redeliver deliveries, create missing ones, and discard them. */
export function addRedeliveryRoutes(
  add: AddRoute,
  deps: RedeliveryRoutesDeps,
): void {
  const { store, now } = deps;
  const configured = (): string[] => deps.routes().map(({ name }) => name);

  const redeliverOne: RequestHandler = async (req, res) => {
    const { id } = req.params as { id: string };
    const { as } = await readInput(res, operatorInput);
    const destinations = configured();
    const [outcome] = /^\d{1,15}$/.test(id)
      ? await store.redeliver({
          deliveryIds: [Number(id)],
          now: store.clock(),
          operator: as,
          destinations,
        })
      : [];
    if (outcome === "in_flight") {
      throw new AppError("attempt_in_flight");
    }
    if (outcome === "destination_gone") {
      throw new AppError("not_found", "unknown_destination", {
        detail: `the destination of this delivery is no longer configured (${configuredAre(destinations)}); configure it again, or discard the delivery`,
      });
    }
    if (outcome !== "redelivered") {
      throw new AppError("not_found", "unknown_delivery", {
        detail: `there is no delivery ${JSON.stringify(id)}; GET /api/events/:id shows the deliveries of an event with their ids`,
      });
    }
    respondJson(res, 200, { redelivered: 1 });
  };

  const redeliverMany: RequestHandler = async (_req, res) => {
    const input = await readInput(res, redeliverInput);
    requireChoice(input);
    const { ids, dryRun, as: operator, route } = input;
    const filter = filterOf(input, now());
    const destinations = configured();
    const { destination } = filter;
    if (destination !== null && !destinations.includes(destination)) {
      throw badInput(unknownDestination(destination, destinations));
    }
    if (filter.unrouted === true && !route) {
      throw badInput(
        "unrouted events have no deliveries to redeliver; add route: true to create them",
      );
    }
    if (ids === undefined && filter.state === "discarded") {
      throw badInput(
        "discarded deliveries can only be redelivered by ids; give ids",
      );
    }
    const findMissing = route
      ? createFindMissing(deps.routes(), destination)
      : null;
    const apply = (
      planned: Parameters<typeof previewRedelivery>[0],
    ): Promise<RedeliveryCount> =>
      dryRun
        ? previewRedelivery(planned, { destinations })
        : redeliver(store, planned, {
            operator,
            now: store.clock,
            destinations,
          });
    if (ids === undefined) {
      const state = filter.state ?? "exhausted";
      const all = plannedForAll(store, { ...filter, state }, findMissing);
      const count = await apply(all);
      respondJson(res, 200, { dryRun, ...redeliveryJson(count, route) });
      return;
    }
    const events = inOrder(await requireEvents(store, ids));
    const gone = events
      .flatMap((event) => redeliverables(event, filter))
      .map(({ delivery }) => delivery.destination)
      .filter((name) => !destinations.includes(name));
    if (gone.length > 0) {
      throw badInput(goneDestinations(gone, destinations));
    }
    const planned = plannedFor(store, events, filter, findMissing);
    const count = await apply(planned);
    respondJson(res, 200, { dryRun, ...redeliveryJson(count, route) });
  };

  const discardMany: RequestHandler = async (_req, res) => {
    const input = await readInput(res, discardInput);
    requireChoice(input);
    const { ids, dryRun, as: operator } = input;
    const filter = filterOf(input, now());
    const { state } = filter;
    if (state !== null && !isDiscardable(state)) {
      throw badInput(
        "state: only pending and exhausted deliveries can be discarded; give one of these states, or none",
      );
    }
    await requireDestination(store, filter, configured());
    const chosen =
      ids === undefined
        ? discardablesOf(store, filter)
        : (await requireEvents(store, ids)).flatMap((event) =>
            discardables(event, filter),
          );
    const count = await (dryRun
      ? previewDiscard(chosen)
      : discard(store, chosen, { operator, now: store.clock }));
    respondJson(res, 200, { dryRun, ...count });
  };

  add("/events/redeliver", { post: redeliverMany });
  add("/events/discard", { post: discardMany });
  add("/deliveries/:id/redeliver", { post: redeliverOne });
}
