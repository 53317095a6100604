import type { ErrorRequestHandler, RequestHandler, Response } from "express";
import type { Logger } from "pino";
import { pinoHttp } from "pino-http";
import { AppError, asError, StoreError } from "../errors.ts";
import { exchangeOf } from "./request-context.ts";
import { createExpressApp, type PlainExpress } from "./express-app.ts";
import { createHealth } from "./health.ts";
import { createReceive, ENDPOINT, type ReceiveDeps } from "./public/receive.ts";
import type { Refuse } from "./reject.ts";

export interface AppDeps {
  readonly gate: RequestHandler;
  readonly refuse: Refuse;
  readonly ready: () => Promise<void>;
  readonly logger: Logger;
}

/** The public listener: endpoints, `/livez`, `/readyz`, nothing else. */
export function createPublicApp(
  deps: AppDeps & { receive: ReceiveDeps; maxBodyBytes: number },
): PlainExpress {
  const plain = createExpressApp();
  const { app } = plain;
  begin(plain, deps);
  app.all(ENDPOINT, createReceive(deps.receive, deps));
  finish(plain, deps);
  return plain;
}

/** The management listener: `/livez`, `/readyz` and `/api/*`; metrics mount here. */
export function createAdminApp(
  deps: AppDeps & { api: RequestHandler },
): PlainExpress {
  const plain = createExpressApp();
  const { app } = plain;
  begin(plain, deps);
  app.use("/api", deps.api);
  finish(plain, deps);
  return plain;
}

function begin({ app }: PlainExpress, { gate, logger }: AppDeps): void {
  app.use(gate);
  // It costs a third of a request also where the level drops its line.
  if (logger.isLevelEnabled("debug")) {
    app.use(requestLog(logger));
  }
}

function finish({ app }: PlainExpress, deps: AppDeps): void {
  app.use(createHealth(deps));
  app.use(() => {
    throw new AppError("not_found");
  });
  app.use(createErrorHandler(deps));
}

/** The one place where whatever was thrown becomes an answer. */
function createErrorHandler({ refuse, logger }: AppDeps): ErrorRequestHandler {
  // eslint-disable-next-line @typescript-eslint/no-unused-vars -- Express knows an error handler by its four parameters
  return async (thrown: unknown, _req, res, _next) => {
    const exchange = exchangeOf(res);
    try {
      const error = asRefusal(thrown);
      if (error !== null) {
        await refuse(exchange, error);
        return;
      }
    } catch (error) {
      thrown = error;
    }
    if (!(thrown instanceof StoreError)) {
      const { message, stack } = asError(thrown);
      logger.error(
        { requestId: exchange.requestId, error: message, stack },
        "request failed",
      );
    }
    refuse.answer(exchange, "unavailable");
  };
}

/** Whether it is the request that is at fault: what we throw ourselves, and a path that the router cannot decode. */
function asRefusal(thrown: unknown): AppError | null {
  if (thrown instanceof AppError) {
    return thrown;
  }
  return asError(thrown).name === "URIError"
    ? new AppError("bad_request", "path_encoding", {
        detail: "the path has a % that does not begin an encoded character",
      })
    : null;
}

/** One line a request on the operational log, at `debug`: no query, no header, no body. Its audit entry has the rest. */
function requestLog(logger: Logger): RequestHandler {
  return pinoHttp({
    logger,
    genReqId: (_req, res) => exchangeOf(res as Response).requestId,
    customLogLevel: () => "debug",
    customAttributeKeys: { responseTime: "durationMs" },
    serializers: {
      req: (req: { id: string; method: string; url: string }) => ({
        id: req.id,
        method: req.method,
        path: req.url.split("?", 1)[0],
      }),
      res: (res: { statusCode: number }) => ({ status: res.statusCode }),
      err: (error: { type: string }) => ({ type: error.type }),
    },
  });
}
