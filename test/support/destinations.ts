import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { cleanUp } from "./cleanup.ts";

export interface Attempt {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Responds to the nth attempt, counted from 1. */
export type Reply = (
  res: ServerResponse,
  count: number,
  attempt: Attempt,
) => void;

export const reply =
  (status: number, headers: Record<string, string> = {}): Reply =>
  (res) => {
    res.writeHead(status, headers).end();
  };

/** Accepts the request and never responds. */
export const hang: Reply = () => undefined;

export type TestDestination = Awaited<ReturnType<typeof startDestination>>;

/** Starts a real HTTP destination that records each attempt and responds with `reply`. It is closed when the test ends. */
export async function startDestination(answer: Reply) {
  const attempts: Attempt[] = [];
  const current = { answer, inFlight: 0, most: 0, connections: 0 };
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    current.inFlight += 1;
    current.most = Math.max(current.most, current.inFlight);
    res.on("close", () => {
      current.inFlight -= 1;
    });
    req.on("data", (chunk: Buffer) => chunks.push(chunk));
    req.on("end", () => {
      const attempt = {
        path: req.url ?? "",
        headers: req.headers,
        body: Buffer.concat(chunks),
      };
      attempts.push(attempt);
      current.answer(res, attempts.length, attempt);
    });
  });
  server.on("connection", () => {
    current.connections += 1;
  });
  const closed = once(server, "close");
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    server.close();
    await closed;
  };
  cleanUp(close);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    attempts,
    /** Returns the ids of the delivered events, in order. */
    ids: () => attempts.map(({ headers }) => headers["webhook-id"]),
    /** Returns the maximum number of simultaneous requests, and the number of connections. */
    seen: () => ({ most: current.most, connections: current.connections }),
    /** Changes the response to all further attempts. */
    answer: (how: Reply) => {
      current.answer = how;
    },
    url: `http://127.0.0.1:${port}/hooks`,
    close,
  };
}
