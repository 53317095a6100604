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

/** Bounds of a listener, all in milliseconds but the last. */
export interface ServerLimits {
  readonly keepAliveTimeout: number;
  /** For the whole header block. */
  readonly headersTimeout: number;
  /** For the whole request, body included. */
  readonly requestTimeout: number;
  /** Time without progress before a client is disconnected. */
  readonly stuckTimeout: number;
  /** How often the three above are checked. */
  readonly checkingInterval: number;
  readonly maxHeaderBytes: number;
}

export interface Listener {
  readonly port: number;
  /** Takes no further connection and waits until those that are there have ended; idle ones are ended at once. */
  close: () => Promise<void>;
  /** Ends every connection, whatever it is at. */
  destroy: () => void;
}

/** Connections that the kernel keeps until they are accepted, one a turn of the event loop; it has a limit of its own. */
const BACKLOG = 4096;

/** How often connections that have fallen idle are ended while the listener closes, in milliseconds. */
const CLOSE_IDLE_EVERY_MS = 50;

export interface ListenDeps extends Omit<ConnectionsDeps, "handle"> {
  readonly onClientError: ReturnType<typeof createClientErrorHandler>;
}

/** Listens. Throws ConfigError naming `variable` when the address cannot be had. */
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
    // The validation answers a missing Host, an odd Expect and too many headers, each with an entry.
    requireHostHeader: false,
  });
  // One more than the validation lets through: Node keeps no more of them, which would cost many times their bytes.
  server.maxHeadersCount = MAX_HEADERS + 1;
  const handle = (req: IncomingMessage, res: ServerResponse): void => {
    connectionOf(req.socket).handle(req, res);
  };
  server.on("request", handle);
  // The body is asked for only once the request is worth it.
  server.on("checkContinue", handle);
  server.on("checkExpectation", handle);
  server.on("clientError", deps.onClientError);
  server.on("connect", (_req, stream) => {
    // Node has taken its own listener off: a reset would otherwise end the process.
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
      // Requests of connections that were cut off have an entry each. They learn of it at the end of this turn of the event
      // loop, after the server itself.
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
          `${name}: cannot listen there (${code}); choose a free port and an address of this host`,
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
