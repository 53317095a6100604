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

/** `/livez`: the process answers. `/readyz`: it can take events; `ready()` rejects when it cannot. */
export function createHealth(deps: { ready: () => Promise<void> }): Router {
  const router = Router({ caseSensitive: true, strict: true });

  const live: RequestHandler = (req, res) => {
    respondEarly(req, res, { status: "live" });
  };
  const ready: RequestHandler = async (req, res) => {
    try {
      await deps.ready();
    } catch {
      // No entry: a load balancer asks every few seconds, and what is wrong has an entry of its own.
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

/** A body with the question is not wanted, and not read to its end either. */
function respondEarly(req: Request, res: Response, value: object): void {
  const rest = lingeringClose(req, res, { close: false });
  writeJson(res, 200, value);
  rest.finish();
}
