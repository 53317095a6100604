import {
  type Request,
  type RequestHandler,
  type Response,
  Router,
} from "express";
import { methodNotAllowed } from "../errors.ts";
import { writeJson } from "./json-response.ts";
import { contextOf } from "./request-context.ts";
import { lingeringClose } from "./connection/lingering-close.ts";
import { respondProblem } from "./problem-response.ts";

const ALLOW = "GET, HEAD";

/**
 * Creates the health routes. `/livez` responds 200 while the process runs. `/readyz` responds 200 while the service can
 * take events, and 503 if `ready()` rejects.
 */
export function createHealth(deps: { ready: () => Promise<void> }): Router {
  const router = Router({ caseSensitive: true, strict: true });

  const live: RequestHandler = (req, res) => {
    respondEarly(req, res, { status: "live" });
  };
  const ready: RequestHandler = async (req, res) => {
    try {
      await deps.ready();
    } catch {
      // Writes no audit entry: a load balancer asks every few seconds, and the cause has its own entry.
      respondProblem(contextOf(res), "unavailable");
      return;
    }
    respondEarly(req, res, { status: "ready" });
  };
  const rejectMethod: RequestHandler = () => {
    throw methodNotAllowed(ALLOW);
  };

  router.get("/livez", live);
  router.get("/readyz", ready);
  router.all(["/livez", "/readyz"], rejectMethod);
  return router;
}

/** Responds without waiting for the body: a health check needs none. */
function respondEarly(req: Request, res: Response, value: object): void {
  const rest = lingeringClose(req, res, { close: false });
  writeJson(res, 200, value);
  rest.finish();
}
