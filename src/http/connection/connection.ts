import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { canonicalAddress } from "../../domain/ip-address.ts";
import type { AppError } from "../../errors.ts";
import {
  type Holding,
  type MemoryPool,
  resizeOrOverflow,
} from "./memory-pool.ts";
import { type InputOwner, RequestInput } from "./request-input.ts";
import { StuckClient } from "./stuck-client.ts";
import type { Scheduler } from "./scheduler.ts";

/** Maximum number of requests in progress on one connection. */
const MAX_IN_PROGRESS = 16;

/** Estimated memory of a request and its response, without the head, in bytes. */
const REQUEST_BYTES = 4096;

const CONNECTION = Symbol("the connection of a socket");

interface AcceptedSocket extends Socket {
  [CONNECTION]?: Connection;
}

export type HandleRequest = (req: IncomingMessage, res: ServerResponse) => void;

export interface CurrentRequest {
  readonly req: IncomingMessage;
  /** Aborts reading the body; null when no body is being read. */
  readonly abortBody: ((error: AppError) => void) | null;
}

export interface ConnectionDeps {
  readonly scheduler: Scheduler;
  /** Memory for unparsed input, shared by all connections. */
  readonly unparsed: MemoryPool;
  readonly handle: HandleRequest;
  /** Called when the connection was closed because the memory pool is used up. */
  readonly onOverflow: () => void;
  /** Called after an unexpected exception. Only this connection was closed. */
  readonly onError: (error: unknown) => void;
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
}

/** Returns the connection of a socket that the server has accepted. */
export function connectionOf(socket: Socket): Connection {
  const connection = (socket as AcceptedSocket)[CONNECTION];
  if (connection === undefined) {
    throw new Error("the server did not accept this socket");
  }
  return connection;
}

/**
 * One connection and its requests. At most 16 requests are in progress. No request is processed after a response with
 * `Connection: close`. An exception ends only this connection.
 */
export class Connection implements InputOwner {
  /** The address of the peer, read at once because a reset socket has none. Null if the peer had already disconnected. */
  readonly peer: string | null;
  /** The newest request. A connection error is attributed to it while its body is incomplete. */
  current: CurrentRequest | null = null;

  readonly #socket: Socket;
  readonly #deps: ConnectionDeps;
  readonly #client: StuckClient;
  readonly #input: RequestInput;
  /** Requests that were parsed while the connection had no room for them. */
  readonly #queued: [IncomingMessage, ServerResponse][] = [];
  #inProgress = 0;
  /** The newest request that was passed to the app. */
  #newest: IncomingMessage | null = null;
  /** The request that was parsed since the last call of `takeParsedRequest`. */
  #parsedRequest: IncomingMessage | null = null;
  /** Memory of the requests in progress, in bytes. */
  #size = 0;
  /** Counts the memory of the requests in progress while there is more than one request. */
  #holding: Holding | null = null;
  /** Whether the newest response is a rejection. */
  #isRejection = false;
  /** Whether a response with `Connection: close` was started. */
  #closing = false;
  /** Whether the input is not valid HTTP. */
  #failed = false;
  #released = false;
  #ended: AbortController | null = null;
  /** Sent after all pending responses. The connection closes after it. Null = no error has ended the connection. */
  #finalResponse: string | null = null;

  constructor(socket: Socket, deps: ConnectionDeps) {
    this.#socket = socket;
    this.#deps = deps;
    const { remoteAddress } = socket;
    this.peer =
      remoteAddress === undefined ? null : canonicalAddress(remoteAddress);
    (socket as AcceptedSocket)[CONNECTION] = this;
    this.#client = new StuckClient(socket, deps.now);
    this.#input = new RequestInput(socket, this, deps);
  }

  get address(): string {
    return this.peer ?? "unknown";
  }

  /** Whether the input is not valid HTTP. Nothing more is read then. */
  get failed(): boolean {
    return this.#failed;
  }

  /** Passes a request to the app, now or when there is room. Ignores requests after the last response. */
  handle(req: IncomingMessage, res: ServerResponse): void {
    this.#parsedRequest = req;
    if (this.#closing || !this.#socket.writable) {
      return;
    }
    if (this.hasRoom()) {
      this.#dispatch(req, res);
    } else {
      this.#queued.push([req, res]);
    }
  }

  /** Notes that a response has started. `isLast`: the connection closes after it. */
  onResponseStart(response: { isRejection: boolean; isLast: boolean }): void {
    this.#isRejection = response.isRejection;
    if (response.isLast) {
      this.#closing = true;
      this.#queued.length = 0;
    }
  }

  /** Stops reading, sends all pending responses, then `finalResponse`, then closes the connection. */
  endAfter(finalResponse: string): void {
    this.#failed = true;
    this.#input.stop();
    if (this.#queued.at(-1)?.[0].complete === false) {
      // Its body will never be complete.
      this.#queued.pop();
    }
    this.#finalResponse ??= finalResponse;
    this.#sendFinalResponse();
  }

  /** Closes the connection after an unexpected exception, and reports the exception. */
  fail(error: unknown): void {
    this.#socket.destroy();
    this.#deps.onError(error);
  }

  /** Aborts when the connection has closed. */
  get ended(): AbortSignal {
    this.#ended ??= new AbortController();
    return this.#ended.signal;
  }

  /** Releases all memory. Call it once the socket is closed. */
  release(): void {
    // The responses close after the socket, and must count no more memory.
    this.#released = true;
    this.#ended?.abort();
    this.#input.release();
    this.#holding?.resize(0);
  }

  /** Returns whether the client has read no response, or sent only empty lines, for `limitMs`. Call it periodically. */
  isStuck(limitMs: number): boolean {
    return this.#client.isStuck(limitMs, this.#isIdle());
  }

  onInput(bytes: Buffer): void {
    // Checked only between requests, because a body may consist of newlines.
    if (this.#isIdle()) {
      this.#client.checkInput(bytes);
    }
  }

  hasRoom(): boolean {
    return this.#inProgress < MAX_IN_PROGRESS && this.#queued.length === 0;
  }

  /** Whether further input is discarded. After the last response only the rest of its request is read. */
  isDone(): boolean {
    return (
      this.#failed ||
      !this.#socket.writable ||
      (this.#closing && this.#newest?.complete !== false)
    );
  }

  isLowPriority(): boolean {
    return this.#isRejection;
  }

  takeParsedRequest(): IncomingMessage | null {
    const parsed = this.#parsedRequest;
    this.#parsedRequest = null;
    return parsed;
  }

  isReadingBody(): boolean {
    return this.#newest?.complete === false;
  }

  readonly overflow = (): void => {
    this.#socket.destroy();
    this.#deps.onOverflow();
  };

  /** Whether no request is in the app or being received. */
  #isIdle(): boolean {
    return this.#inProgress === 0 && this.#newest?.complete !== false;
  }

  #dispatch(req: IncomingMessage, res: ServerResponse): void {
    this.#inProgress += 1;
    this.#newest = req;
    this.#client.reset();
    const bytes = this.#input.headBytes + REQUEST_BYTES;
    this.#size += bytes;
    this.#countSize();
    res.once("close", () => {
      this.#leave(bytes);
    });
    try {
      this.#deps.handle(req, res);
    } catch (error) {
      this.fail(error);
    }
  }

  #leave(bytes: number): void {
    const wasFull = this.#inProgress === MAX_IN_PROGRESS;
    this.#inProgress -= 1;
    this.#size -= bytes;
    this.#countSize();
    const next = this.#queued.shift();
    if (next !== undefined && this.#socket.writable) {
      this.#dispatch(...next);
    }
    this.#sendFinalResponse();
    if (wasFull && !this.#failed) {
      this.#input.resume();
    }
  }

  #sendFinalResponse(): void {
    const socket = this.#socket;
    if (this.#finalResponse === null || this.#inProgress > 0) {
      return;
    }
    const last = this.#closing ? "" : this.#finalResponse;
    this.#closing = true;
    socket.end(last, () => socket.destroy());
  }

  /** Counts the memory of the requests in progress. A single request is not counted: the connection limit bounds it. */
  #countSize(): void {
    if (this.#released || (this.#inProgress <= 1 && this.#holding === null)) {
      return;
    }
    this.#holding ??= this.#deps.unparsed.hold(this.address);
    const bytes = this.#inProgress > 1 ? this.#size : 0;
    resizeOrOverflow(this.#holding, bytes, this.overflow);
  }
}
