import type { Response } from "express";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AppError } from "../errors.ts";
import { connectionOf } from "./connection/connection.ts";

/** One request and its response, as every file of the listeners sees them. */
export interface RequestContext {
  readonly requestId: string;
  readonly ip: string;
  /** The path alone: a query may carry what does not belong in the audit trail. */
  readonly resource: string;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** Set while the body is read: aborts that when the connection fails (too slow, bad framing). */
  abortBody: ((error: AppError) => void) | null;
  /** Set when the path is that of a source. */
  source: string | null;
  /** Set when the client has shown the bearer token: it has no rate limit. */
  operator: boolean;
}

/** Begins a request. The newest one of a connection is the one that an error of the connection is attributed to. */
export function openContext(res: Response, context: RequestContext): void {
  res.locals["context"] = context;
  connectionOf(context.req.socket).current = context;
}

/** The context of a request that passed through the request validation. */
export function contextOf(res: Response): RequestContext {
  return res.locals["context"] as RequestContext;
}
