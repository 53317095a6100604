import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { errorCode, ConfigError } from "../errors.ts";
import type { createClientErrorHandler } from "./connection/client-error.ts";
import { connectionOf } from "./connection/connection.ts";
import type { ConnectionLimits } from "./connection/connection-limits.ts";
import {
  type ConnectionsDeps,
  createConnections,
} from "./connection/connections.ts";
import type { PlainExpress } from "./express-app.ts";
import { MAX_HEADERS } from "./request-validation.ts";

/** Limits of a listener. Times are in milliseconds. */
export interface ServerLimits {
  readonly keepAliveTimeout: number;
  /** Time to receive the whole header block. */
  readonly headersTimeout: number;
  /** Time to receive the whole request, with its body. */
  readonly requestTimeout: number;
  /** Time without progress before a client is disconnected. */
  readonly stuckTimeout: number;
  /** How often Node checks the time limits of headers and requests, and the listener looks for clients without progress. */
  readonly checkingInterval: number;
  readonly maxHeaderBytes: number;
}

export interface Listener {
  readonly port: number;
  /** Accepts no more connections, closes idle ones, and waits until the others have ended. */
  close: () => Promise<void>;
  /** Closes every connection at once, also those with requests in progress. */
  destroy: () => void;
}

/**
 * Maximum number of connections that wait in the kernel to be accepted. Node accepts one connection in each turn of the
 * event loop. The kernel may apply a lower limit.
 */
const BACKLOG = 4096;

/** How often idle connections are closed while the listener closes, in milliseconds. */
const CLOSE_IDLE_EVERY_MS = 50;

export interface ListenDeps extends Omit<ConnectionsDeps, "handle"> {
  readonly onClientError: ReturnType<typeof createClientErrorHandler>;
}

/** Starts a listener. Throws ConfigError that names `variable` if the address is not available. */
export async function listen(
  plain: PlainExpress,
  address: { host: string; port: number; variable: string },
  limits: ServerLimits & ConnectionLimits,
  deps: ListenDeps,
): Promise<Listener> {
  const server = createServer({
    IncomingMessage: plain.IncomingMessage,
    ServerResponse: plain.ServerResponse,
    keepAliveTimeout: limits.keepAliveTimeout,
    headersTimeout: limits.headersTimeout,
    requestTimeout: limits.requestTimeout,
    connectionsCheckingInterval: limits.checkingInterval,
    maxHeaderSize: limits.maxHeaderBytes,
    // request-validation.ts rejects a missing Host itself, with an audit entry.
    requireHostHeader: false,
  });
  // Node drops further headers, which would take many times their size in memory. One more than the maximum is kept, so that
  // request-validation.ts can detect the excess.
  server.maxHeadersCount = MAX_HEADERS + 1;
  const handle = (req: IncomingMessage, res: ServerResponse): void => {
    connectionOf(req.socket).handle(req, res);
  };
  server.on("request", handle);
  // Without these two listeners Node itself would respond to Expect. The endpoint sends 100 once it has checked the head.
  server.on("checkContinue", handle);
  server.on("checkExpectation", handle);
  server.on("clientError", deps.onClientError);
  server.on("connect", (_req, stream) => {
    // Node has removed its own error listener. Without one, a reset would end the process.
    stream.on("error", () => stream.destroy());
    const error = Object.assign(new Error(), { code: "connect_method" });
    deps.onClientError(error, stream as unknown as Socket);
  });
  const connections = createConnections(
    { ...deps, handle: plain.app },
    { ...limits, stuckMs: limits.stuckTimeout },
  );
  server.on("connection", connections.accept);

  await bind(server, address);
  const sweep = setInterval(connections.sweep, limits.checkingInterval);
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      await closeServer(server, connections.closeUnused);
      // Requests on connections that were cut off still write audit entries. Node emits their events at the end of this turn of
      // the event loop, after that of the server.
      await nextTurn();
      await nextTurn();
      clearInterval(sweep);
    },
    destroy: () => {
      server.closeAllConnections();
    },
  };
}

function bind(
  server: Server,
  { host, port, variable }: { host: string; port: number; variable: string },
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => {
      const code = errorCode(error) ?? "unknown";
      const name = /^E(?:NOTFOUND|ADDRNOTAVAIL|AI_AGAIN)$/.test(code)
        ? variable.replace("PORT", "HOST")
        : variable;
      reject(
        new ConfigError([
          `${name}: cannot listen on this address (${code}); choose a free port and an address of this host`,
        ]),
      );
    });
    server.listen({ port, host, backlog: BACKLOG }, resolve);
  });
}

async function closeServer(
  server: Server,
  closeUnused: () => void,
): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
  });
  const endIdle = (): void => {
    server.closeIdleConnections();
    closeUnused();
  };
  const sweep = setInterval(endIdle, CLOSE_IDLE_EVERY_MS);
  endIdle();
  await closed;
  clearInterval(sweep);
}
