import type { Response } from "express";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { AppError } from "../errors.ts";

/** One request and its answer, as the layers of the listener know it. */
export interface Exchange {
  readonly requestId: string;
  readonly ip: string;
  /** The path alone: a query may carry what does not belong into the audit trail. */
  readonly resource: string;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** Set when the connection itself failed and was answered below the app (too slow, bad framing). */
  fault: AppError | null;
  /** Set when the path is that of a source. */
  source: string | null;
  /** Set when whoever asks has shown who they are: they have no budget of refusals to use up. */
  operator: boolean;
}

// Properties and not WeakMaps: a table that is old itself keeps what is put into it alive over the quick garbage
// collections, so that every request would be copied twice and left for a slow one.
const CURRENT = Symbol("the newest exchange on this connection");

interface TracedSocket extends Socket {
  [CURRENT]?: Exchange;
}

/** Notes an exchange; the newest one on a connection is the one that a fault of the connection belongs to. */
export function openExchange(res: Response, exchange: Exchange): void {
  res.locals["exchange"] = exchange;
  (exchange.req.socket as TracedSocket)[CURRENT] = exchange;
}

/** The exchange of a response that went through the gate. */
export function exchangeOf(res: Response): Exchange {
  return res.locals["exchange"] as Exchange;
}

/** The newest exchange on a connection. */
export function exchangeOn(socket: Socket): Exchange | undefined {
  return (socket as TracedSocket)[CURRENT];
}
