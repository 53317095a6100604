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

/** An answer is read up to here, everything counted that comes over the connection, and then the connection is closed. */
const MAX_ANSWER_BYTES = 65_536;

export interface Answer {
  readonly status: number;
  /** The first `Retry-After` header, verbatim. */
  readonly retryAfter: string | undefined;
}

export interface HttpPost {
  /**
   * Posts once, the body in one piece with its exact `content-length`, and follows nothing. Gives the answer once it is
   * whole or 64 KiB of it are read. Rejects with the fault of the network (its `code` says which) when it does not get
   * that far, with what the look-up failed with, and as soon as `signal` aborts; the connection is closed then.
   */
  send(
    message: { headers: Readonly<Record<string, string>>; body: Buffer },
    signal: AbortSignal,
  ): Promise<Answer>;
  /** Closes all connections. */
  close(): void;
}

/** Posts to one http or https URL over at most `connections` connections, which are kept open for 4 s after an answer. */
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
      const answer = answerTo(req, signal);
      req.end(body);
      return answer;
    },
    close() {
      agent.destroy();
    },
  };
}

/** The answer to a request, or its fault, once it is over; nothing that listens to either outlasts that. */
function answerTo(req: ClientRequest, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let socket: Socket | null = null;
    let res: IncomingMessage | null = null;
    let fault: Error | null = null;
    let read = 0;
    let enough = false;

    const abort = (): void => {
      // A request gets its socket in the tick after it was made, and destroys only what it has.
      process.nextTick(() => req.destroy());
      // Not when it closes: a request that waits for a connection does not before it could have one.
      reject(asError(signal.reason));
    };
    const count = (chunk: Buffer): void => {
      read += chunk.length;
      if (read > MAX_ANSWER_BYTES) {
        enough = true;
        req.destroy();
      }
    };

    signal.addEventListener("abort", abort);
    req.on("socket", (connection) => {
      socket = connection;
      // Not those of the body alone: 1xx answers, empty lines and chunk extensions can go on for ever too.
      connection.on("data", count);
    });
    req.on("response", (response) => {
      res = response;
      // The end of the request tells what there is to tell of it.
      response.on("error", () => undefined);
      response.on("end", () => {
        // An answer before the end of the body: a server that reads no further would hold the connection for ever.
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
      // What comes after the end of an answer takes nothing back of it.
      if (!res?.complete) {
        fault ??= error;
      }
    });
    req.on("close", () => {
      signal.removeEventListener("abort", abort);
      socket?.off("data", count);
      if (res !== null && (enough || (fault === null && res.complete))) {
        resolve({
          status: res.statusCode ?? 0,
          retryAfter: res.headers["retry-after"],
        });
      } else if (enough) {
        reject(new Error(`no status in ${MAX_ANSWER_BYTES} bytes`));
      } else {
        reject(fault ?? closedEarly());
      }
    });
  });
}

function closedEarly(): Error {
  const error = new Error("closed before the end of the answer");
  return Object.assign(error, { code: "ECONNRESET" });
}
