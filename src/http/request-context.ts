import type { Response } from "express";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AppError } from "../errors.ts";
import { connectionOf } from "./connection/connection.ts";

/** One request and its answer, as the layers of the listener know it. */
export interface Exchange {
  readonly requestId: string;
  readonly ip: string;
  /** The path alone: a query may carry what does not belong into the audit trail. */
  readonly resource: string;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** Set while the body is read: stops that, for what is wrong with the connection (too slow, bad framing). */
  breakOff: ((fault: AppError) => void) | null;
  /** Set when the path is that of a source. */
  source: string | null;
  /** Set when whoever asks has shown who they are: they have no budget of refusals to use up. */
  operator: boolean;
}

/** Notes an exchange; the newest one on a connection is the one that a fault of the connection belongs to. */
export function openExchange(res: Response, exchange: Exchange): void {
  res.locals["exchange"] = exchange;
  connectionOf(exchange.req.socket).current = exchange;
}

/** The exchange of a response that went through the gate. */
export function exchangeOf(res: Response): Exchange {
  return res.locals["exchange"] as Exchange;
}
