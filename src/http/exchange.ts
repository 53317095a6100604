import {
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { type Socket } from "node:net";
import { type ProblemCode } from "../errors.ts";

/** One request and its answer, as the layers of the listener know it. */
export interface Exchange {
  readonly requestId: string;
  readonly ip: string;
  /** The path alone: a query may carry what does not belong into the audit trail. */
  readonly resource: string;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** Set when the connection itself failed and was answered below the app (too slow, bad framing). */
  fault: ProblemCode | null;
}

const byResponse = new WeakMap<ServerResponse, Exchange>();
const bySocket = new WeakMap<Socket, Exchange>();

/** Notes an exchange; the newest one on a connection is the one that a fault of the connection belongs to. */
export function openExchange(exchange: Exchange): void {
  byResponse.set(exchange.res, exchange);
  bySocket.set(exchange.req.socket, exchange);
}

/** The exchange of a response that went through the gate. */
export function exchangeOf(res: ServerResponse): Exchange {
  const exchange = byResponse.get(res);
  if (exchange === undefined) {
    throw new TypeError("this response did not pass the gate");
  }
  return exchange;
}

/** The newest exchange on a connection. */
export function exchangeOn(socket: Socket): Exchange | undefined {
  return bySocket.get(socket);
}
