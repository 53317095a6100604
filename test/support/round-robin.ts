import { once } from "node:events";
import {
  createServer,
  type IncomingMessage,
  request as startRequest,
  type ServerResponse,
} from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { cleanUp } from "./cleanup.ts";
import { eventually } from "./eventually.ts";

const CHECK_MS = 50;
const CHECK_TIMEOUT_MS = 5000;
const HOST = "127.0.0.1";

export type RoundRobin = Awaited<ReturnType<typeof startRoundRobin>>;

/**
 * Starts an HTTP load balancer. Requests of all connections go to the ready services in turn, each over a new connection. It
 * calls /readyz of every service all the time. A request is sent again only if no connection could be opened. `ports` returns
 * the ports of the services now. It is closed when the test ends.
 */
export async function startRoundRobin(ports: () => readonly number[]) {
  const ready = new Set<number>();
  const received = new Map<number, number>();
  const checking = new Map<number, Promise<void>>();
  const closing = new AbortController();
  let turn = 0;

  /** Checks a service once. A service that does not respond does not delay the checks of others. */
  async function check(port: number): Promise<void> {
    const isReady = await fetch(`http://${HOST}:${port}/readyz`, {
      signal: AbortSignal.any([
        closing.signal,
        AbortSignal.timeout(CHECK_TIMEOUT_MS),
      ]),
    }).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isReady) {
      ready.add(port);
    } else {
      ready.delete(port);
    }
    checking.delete(port);
  }
  const timer = setInterval(() => {
    for (const port of ports()) {
      if (!checking.has(port)) {
        checking.set(port, check(port));
      }
    }
  }, CHECK_MS);

  function next(): number | undefined {
    const candidates = ports().filter((port) => ready.has(port));
    turn += 1;
    return candidates[turn % candidates.length];
  }

  function forward(
    req: IncomingMessage,
    res: ServerResponse,
    body: Buffer,
  ): void {
    const port = next();
    if (port === undefined) {
      res.writeHead(503, { "x-from-balancer": "no service is ready" }).end();
      return;
    }
    let isConnected = false;
    const { method, url, headers } = req;
    const upstream = startRequest({
      host: HOST,
      port,
      method,
      path: url,
      headers: { ...headers, connection: "close" },
      agent: false,
    });
    upstream.on("socket", (socket) => {
      socket.once("connect", () => {
        isConnected = true;
        received.set(port, (received.get(port) ?? 0) + 1);
      });
    });
    upstream.on("response", (response) => {
      const kept = { ...response.headers, connection: "keep-alive" };
      res.writeHead(response.statusCode!, kept);
      response.pipe(res);
      response.on("error", () => res.destroy());
    });
    upstream.on("error", () => {
      ready.delete(port);
      if (!isConnected) {
        forward(req, res, body);
      } else if (res.headersSent) {
        res.destroy();
      } else {
        res.writeHead(502, { "x-from-balancer": "no response" }).end();
      }
    });
    upstream.end(body);
  }

  const server = createServer({ keepAliveTimeout: 60_000 }, (req, res) => {
    const chunks: Buffer[] = [];
    req.on("data", (chunk: Buffer) => chunks.push(chunk));
    req.on("end", () => {
      forward(req, res, Buffer.concat(chunks));
    });
  });
  cleanUp(async () => {
    clearInterval(timer);
    closing.abort();
    await Promise.all(checking.values());
    server.closeAllConnections();
    server.close();
  });
  server.listen(0, HOST);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;

  return {
    port,
    url: `http://${HOST}:${port}`,
    /** Returns the number of requests that each port has received, without health checks. */
    received: (): ReadonlyMap<number, number> => new Map(received),
    /** Waits until all services are ready. */
    untilReady: () =>
      eventually(() => ports().every((port) => ready.has(port))),
  };
}

/**
 * Sends a request to each port at once: all connections are open before the first byte is sent. Returns what each has
 * responded until it closed the connection.
 */
export async function sendToAll(
  ports: readonly number[],
  requests: readonly Buffer[],
): Promise<string[]> {
  const sockets = await Promise.all(
    ports.map(async (port) => {
      const socket = connect(port, HOST);
      await once(socket, "connect");
      socket.setNoDelay(true);
      return socket;
    }),
  );
  const responses = sockets.map(readAll);
  sockets.forEach((socket, n) => socket.write(requests[n]!));
  return Promise.all(responses);
}

async function readAll(socket: Socket): Promise<string> {
  let text = "";
  for await (const chunk of socket) {
    text += (chunk as Buffer).toString("latin1");
  }
  return text;
}
