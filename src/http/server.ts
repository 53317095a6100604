import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { errorCode, ConfigError } from "../errors.ts";
import type { createClientErrorHandler } from "./client-error.ts";
import type { PlainExpress } from "./express-app.ts";

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
  server.on("connect", (_req, stream) => {
    // Node has taken its own listener off: a reset would otherwise end the process.
    stream.on("error", () => stream.destroy());
    onClientError(new Error("CONNECT"), stream as unknown as Socket);
  });
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });

  await bind(server, address);
  return {
    port: (server.address() as AddressInfo).port,
    close: () => closeServer(server, sockets),
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
    server.listen(port, host, resolve);
  });
}

async function closeServer(
  server: Server,
  sockets: ReadonlySet<Socket>,
): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
  });
  const endIdle = (): void => {
    server.closeIdleConnections();
    for (const socket of sockets) {
      // One that never sent a byte does not count as idle, and would be waited for.
      if (socket.bytesRead === 0) {
        socket.destroy();
      }
    }
  };
  const sweep = setInterval(endIdle, CLOSE_IDLE_EVERY_MS);
  endIdle();
  await closed;
  clearInterval(sweep);
}
