import {
  type ClientRequest,
  type IncomingMessage,
  request as requestHttp,
} from "node:http";
import { request as requestHttps } from "node:https";
import type { LookupFunction, Socket } from "node:net";
import { urlToHttpOptions } from "node:url";
import { asError } from "../../errors.ts";
import { createKeepAliveAgent } from "./keep-alive-agent.ts";

/**
 * The maximum number of bytes that are read on the connection for one response, headers included. After that, it is closed.
 */
const MAX_RESPONSE_BYTES = 65_536;

export interface HttpResponse {
  readonly status: number;
  /** The first `Retry-After` header, verbatim. */
  readonly retryAfter: string | undefined;
}

export interface HttpPost {
  /**
   * Sends one POST, with the exact `content-length` of the body, and follows no redirect. Resolves when the response is
   * complete or 64 KiB of it were read. Rejects with a network error that has a `code`, with the error of the look-up, or as
   * soon as `signal` aborts. The connection is then closed.
   */
  send(
    message: { headers: Readonly<Record<string, string>>; body: Buffer },
    signal: AbortSignal,
  ): Promise<HttpResponse>;
  /** Closes all connections. */
  close(): void;
}

/** Posts to one http or https URL over at most `connections` connections. They stay open for 4 s after a response. */
export function createHttpPost(
  deps: { lookup: LookupFunction },
  options: { url: URL; connections: number },
): HttpPost {
  const { url, connections } = options;
  const secure = url.protocol === "https:";
  const request = secure ? requestHttps : requestHttp;
  const target = urlToHttpOptions(url);
  const agent = createKeepAliveAgent(deps, { secure, connections });
  return {
    async send({ headers, body }, signal) {
      signal.throwIfAborted();
      const req = request({
        ...target,
        method: "POST",
        headers: { ...headers, "content-length": String(body.length) },
        agent,
      });
      const response = responseTo(req, signal);
      req.end(body);
      return response;
    },
    close() {
      agent.destroy();
    },
  };
}

/**
 * Resolves with the response to a request, or rejects with its error, when the request has ended. It then leaves no
 * listeners.
 */
function responseTo(
  req: ClientRequest,
  signal: AbortSignal,
): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    let socket: Socket | null = null;
    let res: IncomingMessage | null = null;
    let failure: Error | null = null;
    let read = 0;
    let enough = false;

    const abort = (): void => {
      // A request gets its socket one tick after it was created, and `destroy` closes only a socket that it has.
      process.nextTick(() => req.destroy());
      // Reject now: a request that waits for a connection emits `close` only when a connection is free.
      reject(asError(signal.reason));
    };
    const count = (chunk: Buffer): void => {
      read += chunk.length;
      if (read > MAX_RESPONSE_BYTES) {
        enough = true;
        req.destroy();
      }
    };

    signal.addEventListener("abort", abort);
    req.on("socket", (connection) => {
      socket = connection;
      // Count all bytes and not only the body: 1xx responses, empty lines and chunk extensions can be endless too.
      connection.on("data", count);
    });
    req.on("response", (response) => {
      res = response;
      // The `close` event of the request reports the result.
      response.on("error", () => undefined);
      response.on("end", () => {
        // The server responded before the end of the request. If it reads no further, the connection would never be free.
        if (!req.writableFinished) {
          req.destroy();
        }
      });
      response.resume();
    });
    req.on("upgrade", (response, connection) => {
      res = response;
      enough = true;
      connection.destroy();
    });
    req.on("error", (error) => {
      // An error after a complete response does not change the result.
      if (!res?.complete) {
        failure ??= error;
      }
    });
    req.on("close", () => {
      signal.removeEventListener("abort", abort);
      socket?.off("data", count);
      if (res !== null && (enough || (failure === null && res.complete))) {
        resolve({
          status: res.statusCode ?? 0,
          retryAfter: res.headers["retry-after"],
        });
      } else if (enough) {
        reject(new Error(`no status in ${MAX_RESPONSE_BYTES} bytes`));
      } else {
        reject(failure ?? closedEarly());
      }
    });
  });
}

function closedEarly(): Error {
  const error = new Error("closed before the end of the response");
  return Object.assign(error, { code: "ECONNRESET" });
}
