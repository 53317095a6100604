import { type RequestHandler, Router } from "express";
import { AppError } from "../errors.ts";
import { answerJson } from "./answer.ts";
import { exchangeOf } from "./exchange.ts";
import { type Refuse } from "./refuse.ts";

const ALLOW = "GET, HEAD";

/** `/livez`: the process answers. `/readyz`: it can take events; `ready()` rejects when it cannot. */
export function createHealth(deps: {
  ready: () => Promise<void>;
  refuse: Refuse;
}): Router {
  const router = Router({ caseSensitive: true, strict: true });

  const live: RequestHandler = (_req, res) => {
    answerJson(res, 200, { status: "live" });
  };
  const ready: RequestHandler = async (_req, res) => {
    try {
      await deps.ready();
    } catch {
      // No entry: a load balancer asks every few seconds, and what is wrong has an entry of its own.
      deps.refuse.answer(exchangeOf(res), "unavailable");
      return;
    }
    answerJson(res, 200, { status: "ready" });
  };
  const refuseMethod: RequestHandler = async (_req, res) => {
    const error = new AppError("method_not_allowed");
    await deps.refuse(exchangeOf(res), error, ALLOW);
  };

  router.get("/livez", live);
  router.get("/readyz", ready);
  router.all(["/livez", "/readyz"], refuseMethod);
  return router;
}
