import { createServer, type RequestListener, type Server } from "node:http";
import { type AddressInfo } from "node:net";
import { errorCode, ConfigError } from "../errors.ts";
import { type createClientErrorHandler } from "./client-error.ts";
import { type PlainExpress } from "./express-app.ts";

/** Bounds of a listener, all in milliseconds but the last. */
export interface ServerLimits {
  readonly keepAliveTimeout: number;
  /** For the whole header block. */
  readonly headersTimeout: number;
  /** For the whole request, body included. */
  readonly requestTimeout: number;
  /** How often the two above are looked at. */
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

/** How often connections that have fallen idle are ended while the listener closes, in milliseconds. */
const CLOSE_IDLE_EVERY_MS = 50;

/** Listens. Throws ConfigError naming `variable` when the address cannot be had. */
export async function listen(
  plain: PlainExpress,
  address: { host: string; port: number; variable: string },
  limits: ServerLimits,
  onClientError: ReturnType<typeof createClientErrorHandler>,
): Promise<Listener> {
  const app: RequestListener = plain.app;
  const server = createServer(
    {
      IncomingMessage: plain.IncomingMessage,
      ServerResponse: plain.ServerResponse,
      keepAliveTimeout: limits.keepAliveTimeout,
      headersTimeout: limits.headersTimeout,
      requestTimeout: limits.requestTimeout,
      connectionsCheckingInterval: limits.checkingInterval,
      maxHeaderSize: limits.maxHeaderBytes,
      // The gate answers a missing Host, an odd Expect and too many headers, each with an entry.
      requireHostHeader: false,
    },
    app,
  );
  server.maxHeadersCount = 0;
  // The body is asked for only once the request is worth it.
  server.on("checkContinue", app);
  server.on("checkExpectation", app);
  server.on("clientError", onClientError);
  server.on("connect", (_req, socket) => {
    onClientError(new Error("CONNECT"), socket as never);
  });

  await bind(server, address);
  return {
    port: (server.address() as AddressInfo).port,
    close: () => closeServer(server),
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
      reject(
        new ConfigError([
          `${variable}: cannot listen there (${errorCode(error) ?? "unknown"}); choose a free port and an address of this host`,
        ]),
      );
    });
    server.listen(port, host, resolve);
  });
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
  });
  const sweep = setInterval(() => {
    server.closeIdleConnections();
  }, CLOSE_IDLE_EVERY_MS);
  server.closeIdleConnections();
  await closed;
  clearInterval(sweep);
}
