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
import type { ReportResponse } from "./report-response.ts";

export interface AppDeps {
  readonly validation: RequestHandler;
  readonly reject: Reject;
  readonly report: ReportResponse;
  readonly ready: () => Promise<void>;
  /** For the request log at level `debug`. */
  readonly logger: Logger;
  readonly emit: Emit;
}

/** Creates the app of the public listener: the endpoints, `/livez` and `/readyz`, and nothing else. */
export function createPublicApp(
  deps: AppDeps & { receive: ReceiveDeps },
): PlainExpress {
  const plain = createExpressApp();
  const { app } = plain;
  addFirstHandlers(plain, deps);
  app.use(createReceive(deps.receive));
  addLastHandlers(plain, deps);
  return plain;
}

/** Creates the app of the management listener: `/livez`, `/readyz`, `/metrics` and `/api/*`. */
export function createAdminApp(
  deps: AppDeps & { api: RequestHandler; metrics: RequestHandler },
): PlainExpress {
  const plain = createExpressApp();
  const { app } = plain;
  addFirstHandlers(plain, deps);
  app.use(deps.metrics);
  app.use("/api", deps.api);
  addLastHandlers(plain, deps);
  return plain;
}

function addFirstHandlers(
  { app }: PlainExpress,
  { validation, logger }: AppDeps,
): void {
  app.use(validation);
  // Even if its lines are not written, the request log takes a third of the time of a request.
  if (logger.isLevelEnabled("debug")) {
    app.use(requestLog(logger));
  }
}

function addLastHandlers({ app }: PlainExpress, deps: AppDeps): void {
  app.use(createHealth(deps));
  app.use(() => {
    throw new AppError("not_found");
  });
  app.use(createErrorHandler(deps));
}

/** Creates the only handler that turns an exception into a response. */
function createErrorHandler({
  reject,
  report,
  emit,
}: AppDeps): ErrorRequestHandler {
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
    report(context, "unavailable");
  };
}

/**
 * Returns the rejection if the request caused the exception, otherwise null. The request caused an `AppError`, and the
 * `URIError` that the router throws for a path it cannot decode.
 */
function asRejection(thrown: unknown): AppError | null {
  if (thrown instanceof AppError) {
    return thrown;
  }
  return asError(thrown).name === "URIError"
    ? new AppError("bad_request", "path_encoding", {
        detail:
          "the path has a % that does not start an encoded character; write a literal % as %25",
      })
    : null;
}

/**
 * Logs one line for each request at level `debug`, without query, headers and body. The audit entry of the request has
 * the other facts.
 */
function requestLog(logger: Logger): RequestHandler {
  return pinoHttp({
    logger,
    genReqId: (_req, res) => contextOf(res as Response).requestId,
    customLogLevel: () => "debug",
    customSuccessObject: (_req, { statusCode }, value: ResponseTime) =>
      responseFields(statusCode, value),
    customErrorObject: (_req, { statusCode }, error, value: ResponseTime) => ({
      ...responseFields(statusCode, value),
      err: { type: error.name },
    }),
    wrapSerializers: false,
    serializers: {
      req: (req: { id: string; method: string; url: string }) => ({
        id: req.id,
        method: req.method,
        path: req.url.split("?", 1)[0],
      }),
      res: unchanged,
      err: unchanged,
    },
  });
}

interface ResponseTime {
  readonly responseTime: number;
}

/** The fields of a response. The response itself would take all the space that a line has for its fields. */
function responseFields(
  status: number,
  { responseTime: durationMs }: ResponseTime,
): Record<string, unknown> {
  return { res: { status }, durationMs };
}

function unchanged(fields: unknown): unknown {
  return fields;
}
