import { Router } from "express";
import { addAuditRoutes, type AuditRoutesDeps } from "./audit-routes.ts";
import {
  addDestinationRoutes,
  type DestinationRoutesDeps,
} from "./destination-routes.ts";
import { addEventRoutes, type EventRoutesDeps } from "./event-routes.ts";
import { createAddRoute } from "./admin-route.ts";
import { requireBearer } from "./bearer.ts";

export interface AdminApiDeps
  extends EventRoutesDeps, DestinationRoutesDeps, AuditRoutesDeps {
  readonly store: EventRoutesDeps["store"] & AuditRoutesDeps["store"];
  /** The bearer token in force; null = every path is 404. */
  readonly token: () => string | null;
}

/** `/api/*` of the management listener: for operators who have the token. */
export function createAdminApi(deps: AdminApiDeps): Router {
  const router = Router({ caseSensitive: true, strict: true });
  router.use(requireBearer(deps.token));
  const add = createAddRoute(router);
  addEventRoutes(add, deps);
  addDestinationRoutes(add, deps);
  addAuditRoutes(add, deps);
  return router;
}
