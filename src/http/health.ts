import {
  type Request,
  type RequestHandler,
  type Response,
  Router,
} from "express";
import { methodNotAllowed } from "../errors.ts";
import { writeJson } from "./respond.ts";
import { exchangeOf } from "./request-context.ts";
import { linger } from "./connection/lingering-close.ts";
import type { Refuse } from "./reject.ts";

const ALLOW = "GET, HEAD";

/** `/livez`: the process answers. `/readyz`: it can take events; `ready()` rejects when it cannot. */
export function createHealth(deps: {
  ready: () => Promise<void>;
  refuse: Refuse;
}): Router {
  const router = Router({ caseSensitive: true, strict: true });

  const live: RequestHandler = (req, res) => {
    answerEarly(req, res, { status: "live" });
  };
  const ready: RequestHandler = async (req, res) => {
    try {
      await deps.ready();
    } catch {
      // No entry: a load balancer asks every few seconds, and what is wrong has an entry of its own.
      deps.refuse.answer(exchangeOf(res), "unavailable");
      return;
    }
    answerEarly(req, res, { status: "ready" });
  };
  const refuseMethod: RequestHandler = () => {
    throw methodNotAllowed(ALLOW);
  };

  router.get("/livez", live);
  router.get("/readyz", ready);
  router.all(["/livez", "/readyz"], refuseMethod);
  return router;
}

/** A body with the question is not wanted, and not read to its end either. */
function answerEarly(req: Request, res: Response, value: object): void {
  const rest = linger(req, res, { close: false });
  writeJson(res, 200, value);
  rest.finish();
}
