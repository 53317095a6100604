import type { RequestHandler } from "express";
import type { DestinationStatus } from "../../delivery/destination-status.ts";
import { isoTime } from "../../events/event-json.ts";
import { AppError } from "../../errors.ts";
import type { AddRoute } from "./admin-route.ts";
import { respondJson } from "../json-response.ts";
import { operatorInput } from "./operator-input.ts";
import { readInput } from "./read-input.ts";

export interface DestinationRoutesDeps {
  readonly dispatcher: {
    readonly status: () => Promise<readonly DestinationStatus[]>;
    readonly pause: (name: string, operator: string) => Promise<boolean>;
    readonly resume: (name: string, operator: string) => Promise<boolean>;
  };
}

export function addDestinationRoutes(
  add: AddRoute,
  { dispatcher }: DestinationRoutesDeps,
): void {
  const jsonOf = async (name: string) => {
    const all = await dispatcher.status();
    const found = all.find((destination) => destination.name === name);
    return found === undefined ? null : destinationJson(found);
  };
  const change =
    (
      apply: (name: string, operator: string) => Promise<boolean>,
    ): RequestHandler<{ name: string }> =>
    async (req, res) => {
      const { name } = req.params;
      const { as } = await readInput(res, operatorInput);
      if (!(await apply(name, as))) {
        throw new AppError("not_found", "unknown_destination", {
          detail: `there is no destination ${JSON.stringify(name)}; GET /api/destinations lists the destinations`,
        });
      }
      respondJson(res, 200, await jsonOf(name));
    };

  add("/destinations", {
    get: async (_req, res) => {
      const destinations = (await dispatcher.status()).map(destinationJson);
      respondJson(res, 200, { destinations });
    },
  });
  add("/destinations/:name/pause", {
    post: change(dispatcher.pause) as RequestHandler,
  });
  add("/destinations/:name/resume", {
    post: change(dispatcher.resume) as RequestHandler,
  });
}

function destinationJson(view: DestinationStatus) {
  const { name, destination, worker, paused, pending, exhausted } = view;
  return {
    name,
    configured: destination !== null,
    kind: destination?.kind ?? null,
    place: destination?.place ?? null,
    sources: destination?.sources ?? [],
    events: destination?.events ?? [],
    orderBy: destination?.orderBy ?? null,
    concurrency: destination?.concurrency ?? null,
    paused: paused !== null,
    pausedAt: isoTime(paused?.pausedAt ?? null),
    pausedBy: paused?.pausedBy ?? null,
    pausedUntil: isoTime(paused?.pausedUntil ?? null),
    breaker:
      worker === null
        ? null
        : { ...worker.breaker, probeAt: isoTime(worker.breaker.probeAt) },
    rateLimitedUntil: isoTime(worker?.rateLimitedUntil ?? null),
    inFlight: worker?.inFlight ?? 0,
    pending,
    exhausted,
  };
}
