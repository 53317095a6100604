import { Router } from "express";
import { addAuditRoutes, type AuditRoutesDeps } from "./audit-routes.ts";
import {
  addDestinationRoutes,
  type DestinationRoutesDeps,
} from "./destination-routes.ts";
import { addEventRoutes, type EventRoutesDeps } from "./event-routes.ts";
import { createAddRoute } from "./admin-route.ts";
import { requireBearer } from "./bearer.ts";
import { addStatusRoutes, type StatusRoutesDeps } from "./status-routes.ts";
import {
  addRedeliveryRoutes,
  type RedeliveryRoutesDeps,
} from "./redelivery-routes.ts";

export interface AdminApiDeps
  extends
    EventRoutesDeps,
    RedeliveryRoutesDeps,
    DestinationRoutesDeps,
    StatusRoutesDeps,
    AuditRoutesDeps {
  readonly store: EventRoutesDeps["store"] &
    RedeliveryRoutesDeps["store"] &
    AuditRoutesDeps["store"];
  readonly dispatcher: EventRoutesDeps["dispatcher"] &
    DestinationRoutesDeps["dispatcher"];
  /** The current bearer token; null = every path gets 404. */
  readonly token: () => string | null;
}

/** Creates `/api/*` of the management listener, for operators who have the token. */
export function createAdminApi(deps: AdminApiDeps): Router {
  const router = Router({ caseSensitive: true, strict: true });
  router.use(requireBearer(deps.token));
  const add = createAddRoute(router);
  // Added first, because the path of an event also matches `/events/redeliver` and `/events/discard`.
  addRedeliveryRoutes(add, deps);
  addEventRoutes(add, deps);
  addDestinationRoutes(add, deps);
  addStatusRoutes(add, deps);
  addAuditRoutes(add, deps);
  return router;
}
