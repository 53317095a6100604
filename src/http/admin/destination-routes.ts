import type { RequestHandler } from "express";
import { destinationJson } from "../../status/status-json.ts";
import type { StatusReport } from "../../status/status-report.ts";
import { AppError } from "../../errors.ts";
import type { AddRoute } from "./admin-route.ts";
import { respondJson } from "../json-response.ts";
import { operatorInput } from "./operator-input.ts";
import { readInput } from "./read-input.ts";

export interface DestinationRoutesDeps {
  readonly status: () => Promise<StatusReport>;
  readonly dispatcher: {
    readonly pause: (name: string, operator: string) => Promise<boolean>;
    readonly resume: (name: string, operator: string) => Promise<boolean>;
  };
}

export function addDestinationRoutes(
  add: AddRoute,
  { dispatcher, status }: DestinationRoutesDeps,
): void {
  const jsonOf = async (name: string) => {
    const { destinations } = await status();
    const found = destinations.find((destination) => destination.name === name);
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
      const { destinations } = await status();
      respondJson(res, 200, {
        destinations: destinations.map(destinationJson),
      });
    },
  });
  add("/destinations/:name/pause", {
    post: change(dispatcher.pause) as RequestHandler,
  });
  add("/destinations/:name/resume", {
    post: change(dispatcher.resume) as RequestHandler,
  });
}
