import { once } from "node:events";
import {
  createServer,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { cleanUp } from "./cleanup.ts";

/** A call as the fake API received it. */
export interface Call {
  readonly method: string;
  readonly path: string;
  readonly key: string;
  readonly idempotencyKey: string;
  readonly body: string;
}

type Entry = { chain: { writer: string; seq: number } } & Record<
  string,
  unknown
>;

/** Responds to a call in place of the default, 200. `take` records the entries of the call as received. */
export type Behaviour = (
  res: ServerResponse,
  call: Call,
  take: () => void,
) => void;

/** Starts a fake of the Hex API over real HTTP. It accepts each idempotency key once, and stops when the test ends. */
export async function startHexApi(port = 0) {
  const calls: Call[] = [];
  const entries: Entry[] = [];
  const taken = new Map<string, string>();
  /** The keys that were used again with other entries. */
  const conflicts: string[] = [];
  const plan: Behaviour[] = [];
  let otherwise: Behaviour | null = null;
  const sockets = new Set<Socket>();

  function take({ method, idempotencyKey, body }: Call): void {
    if (method === "GET") {
      return;
    }
    const before = taken.get(idempotencyKey);
    if (before !== undefined) {
      if (before !== body) {
        conflicts.push(idempotencyKey);
      }
      return;
    }
    taken.set(idempotencyKey, body);
    const tracked = [JSON.parse(body) as unknown].flat() as {
      event: string;
      properties: Entry;
    }[];
    entries.push(...tracked.map(({ properties }) => properties));
  }

  async function answer(
    req: IncomingMessage,
    res: ServerResponse,
  ): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of req as AsyncIterable<Buffer>) {
      chunks.push(chunk);
    }
    const call: Call = {
      method: req.method ?? "",
      path: req.url ?? "",
      key: req.headers.authorization ?? "",
      idempotencyKey: String(req.headers["idempotency-key"]),
      body: Buffer.concat(chunks).toString("utf8"),
    };
    calls.push(call);
    const behaviour = plan.shift() ?? otherwise;
    const note = (): void => {
      take(call);
    };
    if (behaviour === null) {
      note();
      res.end('{"ok":true}');
    } else {
      behaviour(res, call, note);
    }
  }

  const server = createServer((req, res) => {
    answer(req, res).catch(() => res.destroy());
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => undefined);
  });
  const closed = once(server, "close");
  const stop = async (): Promise<void> => {
    server.close();
    for (const socket of sockets) {
      socket.destroy();
    }
    await closed;
  };
  cleanUp(stop);
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const address = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${address.port}`,
    port: address.port,
    calls,
    entries,
    conflicts,
    /** The behaviours for the next calls, one for each. */
    plan,
    /** Sets the behaviour for all other calls; null = accepts them. */
    otherwise: (behaviour: Behaviour | null) => {
      otherwise = behaviour;
    },
    stop,
  };
}

export const status =
  (code: number, headers: Record<string, string> = {}): Behaviour =>
  (res) => {
    res.writeHead(code, headers).end("no");
  };
