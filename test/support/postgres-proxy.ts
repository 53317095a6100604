import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { cleanUp } from "./cleanup.ts";
import {
  asksForEncryption,
  createMessageReader,
  type Message,
  textsOf,
} from "./postgres-messages.ts";

/**
 * Where to cut a connection. A request is all messages up to a Sync or a simple Query. Before it is passed on: the server never
 * sees it. After it is passed on: the server executes it meanwhile. Before its response is passed back: the server has
 * executed it.
 */
export type CutPoint = "before-request" | "after-request" | "before-response";

interface Cut {
  readonly point: CutPoint;
  readonly matches: (sql: string) => boolean;
  readonly done: () => void;
}

/** The end of a transaction of several statements, or the single statement that stores new events. */
export const isCommit = (sql: string): boolean =>
  /^\s*COMMIT\b/im.test(sql) || sql.includes("hexhook_require");

export type PostgresProxy = Awaited<ReturnType<typeof startPostgresProxy>>;

/**
 * Starts a TCP proxy in front of a PostgreSQL server. It understands the protocol, so it can cut a connection at an exact
 * point. It offers no encryption. It is closed when the test ends.
 */
export async function startPostgresProxy(target: {
  port: number;
  host?: string;
}) {
  const sockets = new Set<Socket>();
  const stalled = new Set<() => void>();
  const counts = { connections: 0, requests: 0 };
  const cuts: Cut[] = [];
  let isStalled = false;
  let latencyMs = 0;

  /** Passes data on after the latency, and not before a stall has ended. */
  async function deliver(to: Socket, bytes: Buffer): Promise<void> {
    if (latencyMs > 0) {
      await new Promise((resolve) => setTimeout(resolve, latencyMs));
    }
    while (isStalled) {
      await new Promise<void>((resolve) => stalled.add(resolve));
    }
    to.write(bytes);
  }

  function takeCut(sql: string): Cut | null {
    const at = cuts.findIndex(({ matches }) => matches(sql));
    return at === -1 ? null : cuts.splice(at, 1)[0]!;
  }

  function serveClient(client: Socket): void {
    counts.connections += 1;
    const server = connect(target.port, target.host ?? "127.0.0.1");
    const pair = [client, server];
    const destroy = (): void => {
      pair.forEach((socket) => socket.destroy());
    };
    let toServer = Promise.resolve();
    let toClient = Promise.resolve();
    for (const socket of pair) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        sockets.delete(socket);
        // The other side still gets what was received before.
        void Promise.all([toServer, toClient]).then(destroy);
      });
    }
    const passOn = (bytes: Buffer): void => {
      toServer = toServer.then(() => deliver(server, bytes));
    };
    const passBack = (bytes: Buffer): void => {
      toClient = toClient.then(() => deliver(client, bytes));
    };

    const prepared = new Map<string, string>();
    /** The cut of each request that the server has not responded to; null = none. */
    const inFlight: (Cut | null)[] = [];
    let sql: string[] = [];
    let held: Buffer[] = [];
    const readRequest = createMessageReader({ hasStart: true });
    const onRequest = (message: Message): void => {
      if (asksForEncryption(message)) {
        passBack(Buffer.from("N"));
        return;
      }
      if (message.type === "Q") {
        sql.push(textsOf(message)[0]!);
      } else if (message.type === "P") {
        const [name, text] = textsOf(message);
        prepared.set(name!, text!);
      } else if (message.type === "B") {
        sql.push(prepared.get(textsOf(message)[1]!) ?? "");
      }
      held.push(message.bytes);
      const isComplete = message.type === "Q" || message.type === "S";
      if (isComplete) {
        counts.requests += 1;
        const cut = takeCut(sql.join("\n"));
        sql = [];
        if (cut?.point === "before-request") {
          destroy();
          cut.done();
          return;
        }
        inFlight.push(cut);
        if (cut?.point === "after-request") {
          passOn(Buffer.concat(held));
          void toServer.then(destroy).then(cut.done);
          return;
        }
      }
      // A request is passed on as a whole, so that a cut leaves nothing of it at the server.
      const isPartOfRequest = "PBDEC".includes(message.type ?? " ");
      if (!isPartOfRequest) {
        passOn(Buffer.concat(held));
        held = [];
      }
    };

    const readResponse = createMessageReader({ hasStart: false });
    let response: Buffer[] = [];
    let isReady = false;
    const onResponse = (message: Message): void => {
      const cut = isReady ? inFlight[0] : null;
      response.push(message.bytes);
      if (message.type === "Z") {
        // The first one ends the authentication.
        if (isReady) {
          inFlight.shift();
        }
        isReady = true;
        if (cut) {
          destroy();
          cut.done();
          return;
        }
      }
      if (!cut) {
        passBack(Buffer.concat(response));
        response = [];
      }
    };

    client.on("data", (chunk) => {
      readRequest(chunk).forEach(onRequest);
    });
    server.on("data", (chunk) => {
      readResponse(chunk).forEach(onResponse);
    });
  }

  const listener = createServer(serveClient);
  async function listen(port: number): Promise<number> {
    listener.listen(port, "127.0.0.1");
    await once(listener, "listening");
    return (listener.address() as AddressInfo).port;
  }
  async function stopListening(): Promise<void> {
    if (listener.listening) {
      const closed = once(listener, "close");
      listener.close();
      sockets.forEach((socket) => socket.destroy());
      await closed;
    }
  }
  cleanUp(stopListening);
  const port = await listen(0);

  return {
    port,
    /** Passes everything on again, after `stall` or `refuse`. */
    forward: async (): Promise<void> => {
      isStalled = false;
      stalled.forEach((resume) => {
        resume();
      });
      stalled.clear();
      if (!listener.listening) {
        await listen(port);
      }
    },
    /** Passes nothing on, in both directions. All connections stay open. */
    stall: (): void => {
      isStalled = true;
    },
    /** Cuts all connections and refuses new ones. */
    refuse: stopListening,
    /** Cuts all connections. New ones are accepted. */
    cutAll: (): void => {
      sockets.forEach((socket) => socket.destroy());
    },
    /** Cuts the connection of the next request that matches, at this point. Resolves when it was cut. */
    cutNext: (point: CutPoint, matches = isCommit): Promise<void> =>
      new Promise((done) => {
        cuts.push({ point, matches, done });
      }),
    /** Adds this latency in each direction. */
    delay: (ms: number): void => {
      latencyMs = ms;
    },
    /** The number of connections and of requests (round trips) so far. */
    counts: (): Readonly<typeof counts> => ({ ...counts }),
  };
}
