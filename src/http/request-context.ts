import type { Response } from "express";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AppError } from "../errors.ts";
import { connectionOf } from "./connection/connection.ts";

/** A request, its response, and what the listeners know about them. */
export interface RequestContext {
  readonly requestId: string;
  readonly ip: string;
  /** The path without the query, which may hold secrets that must not reach the audit trail. */
  readonly resource: string;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** When the header block was complete, in milliseconds of a monotonic clock. */
  readonly startedAt: number;
  /** Aborts reading the body if the connection fails, for example by bad framing. Null when no body is being read. */
  abortBody: ((error: AppError) => void) | null;
  /** The name of the source, once the path has matched one. */
  source: string | null;
  /** Whether the sender accepts only responses without a body. */
  wantsEmptyResponse: boolean;
  /** Whether the request has the admin token. Such requests are not rate limited. */
  operator: boolean;
}

/** Stores the context of a new request. A later error of the connection is attributed to its newest request. */
export function openContext(res: Response, context: RequestContext): void {
  res.locals["context"] = context;
  connectionOf(context.req.socket).current = context;
}

/** Returns the context of a request that the request validation has seen. */
export function contextOf(res: Response): RequestContext {
  return res.locals["context"] as RequestContext;
}
