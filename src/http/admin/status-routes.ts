import { sourceJson, statusJson } from "../../status/status-json.ts";
import type { StatusReport } from "../../status/status-report.ts";
import { respondJson } from "../json-response.ts";
import type { AddRoute } from "./admin-route.ts";

export interface StatusRoutesDeps {
  readonly status: () => Promise<StatusReport>;
}

export function addStatusRoutes(
  add: AddRoute,
  { status }: StatusRoutesDeps,
): void {
  add("/status", {
    get: async (_req, res) => {
      respondJson(res, 200, statusJson(await status()));
    },
  });
  add("/sources", {
    get: async (_req, res) => {
      const { sources } = await status();
      respondJson(res, 200, { sources: sources.map(sourceJson) });
    },
  });
}
