import type { ErrorRequestHandler, RequestHandler, Response } from "express";
import type { Logger } from "pino";
import type { Emit } from "../telemetry/happening.ts";
import { pinoHttp } from "pino-http";
import { AppError, asError, StoreError } from "../errors.ts";
import { contextOf } from "./request-context.ts";
import { createExpressApp, type PlainExpress } from "./express-app.ts";
import { createHealth } from "./health.ts";
import { createReceive, type ReceiveDeps } from "./public/receive.ts";
import { respondProblem } from "./problem-response.ts";
import type { Reject } from "./reject.ts";

export interface AppDeps {
  readonly validation: RequestHandler;
  readonly reject: Reject;
  readonly ready: () => Promise<void>;
  /** For the request log at level `debug`. */
  readonly logger: Logger;
  readonly emit: Emit;
}

/** The public listener: endpoints, `/livez`, `/readyz`, nothing else. */
export function createPublicApp(
  deps: AppDeps & { receive: ReceiveDeps; maxBodyBytes: number },
): PlainExpress {
  const plain = createExpressApp();
  const { app } = plain;
  begin(plain, deps);
  app.use(createReceive(deps.receive, deps));
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

function begin({ app }: PlainExpress, { validation, logger }: AppDeps): void {
  app.use(validation);
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

/** The one place where what was thrown becomes a response. */
function createErrorHandler({ reject, emit }: AppDeps): ErrorRequestHandler {
  // eslint-disable-next-line @typescript-eslint/no-unused-vars -- Express knows an error handler by its four parameters
  return async (thrown: unknown, _req, res, _next) => {
    const context = contextOf(res);
    try {
      const rejection = asRejection(thrown);
      if (rejection !== null) {
        await reject(context, rejection);
        return;
      }
    } catch (error) {
      thrown = error;
    }
    if (!(thrown instanceof StoreError)) {
      const { requestId } = context;
      emit({ type: "request.failed", requestId, error: thrown });
    }
    respondProblem(context, "unavailable");
  };
}

/** The rejection when the request is at fault: what we throw ourselves, and a path that the router cannot decode. */
function asRejection(thrown: unknown): AppError | null {
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
    genReqId: (_req, res) => contextOf(res as Response).requestId,
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
