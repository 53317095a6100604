import { descriptorLimit } from "../../../src/cli/system.ts";
import type { RejectedConnections } from "../../../src/telemetry/happening.ts";
import { describe, expect, it } from "@jest/globals";
import type { Request, Response } from "express";
import {
  createServer as createHttpServer,
  type IncomingMessage,
} from "node:http";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { Duplex } from "node:stream";
import {
  createIsProxy,
  type TrustProxy,
} from "../../../src/http/client-address.ts";
import {
  adminLimits,
  type ConnectionLimits,
  publicLimits,
} from "../../../src/http/connection/connection-limits.ts";
import { createConnections } from "../../../src/http/connection/connections.ts";
import { readIntoSharedBuffer } from "../../../src/http/connection/read-buffer.ts";
import { BodyBuffer } from "../../../src/http/body-buffer.ts";
import { connectionOf } from "../../../src/http/connection/connection.ts";
import { respondJson, writeJson } from "../../../src/http/json-response.ts";
import { createExpressApp } from "../../../src/http/express-app.ts";
import { lingeringClose } from "../../../src/http/connection/lingering-close.ts";
import {
  listen,
  type Listener,
  type ServerLimits,
} from "../../../src/http/server.ts";
import {
  createMemoryPool,
  type MemoryPool,
} from "../../../src/http/connection/memory-pool.ts";
import {
  createScheduler,
  type Task,
  type Scheduler,
} from "../../../src/http/connection/scheduler.ts";
import { cleanUp } from "../../support/cleanup.ts";
import { eventually } from "../../support/eventually.ts";
import { exchangeRaw } from "../../support/exchange-raw.ts";

const NONE: RejectedConnections = {
  overLimit: 0,
  overAddressShare: 0,
  outOfMemory: 0,
};

interface Listening {
  readonly scheduler: Scheduler;
  readonly unparsed: MemoryPool;
  readonly listener: Listener;
  readonly port: number;
  readonly errors: unknown[];
  readonly rejected: Readonly<RejectedConnections>[];
}

/** Starts a real listener with the test's app, and collects what it reports. */
async function open(
  handle: (req: Request, res: Response) => void,
  options: {
    limits?: Partial<ServerLimits & ConnectionLimits>;
    trust?: TrustProxy;
    unparsedBytes?: number;
  } = {},
): Promise<Listening> {
  const plain = createExpressApp();
  plain.app.use(handle);
  const errors: unknown[] = [];
  const rejected: Readonly<RejectedConnections>[] = [];
  const scheduler = createScheduler(() => performance.now());
  const unparsed = createMemoryPool({
    maxBytes: options.unparsedBytes ?? 33_554_432,
    now: () => performance.now(),
  });
  const listener = await listen(
    plain,
    { host: "127.0.0.1", port: 0, variable: "PORT" },
    {
      keepAliveTimeout: 60_000,
      headersTimeout: 60_000,
      requestTimeout: 60_000,
      stuckTimeout: 60_000,
      checkingInterval: 20,
      maxHeaderBytes: 16_384,
      max: 1000,
      maxPerNetwork: 1000,
      ...options.limits,
    },
    {
      scheduler,
      unparsed,
      isProxy: createIsProxy(options.trust ?? 0),
      now: () => performance.now(),
      onError: (error) => errors.push(error),
      onReject: (some) => rejected.push(some),
      onClientError: (_error, socket) => {
        connectionOf(socket).endAfter("HTTP/1.1 400 Bad Request\r\n\r\n");
      },
    },
  );
  cleanUp(async () => {
    listener.destroy();
    await listener.close();
  });
  return {
    scheduler,
    unparsed,
    listener,
    port: listener.port,
    errors,
    rejected,
  };
}

/** Connects a client that writes `bytes`. `text` is what it has received so far. */
function client(port: number, bytes: string | Buffer, localAddress?: string) {
  const socket = connect({
    port,
    host: "127.0.0.1",
    ...(localAddress === undefined ? {} : { localAddress }),
  });
  const state = { socket, text: "", closed: false };
  cleanUp(() => socket.destroy());
  socket.on("error", () => undefined);
  socket.on("data", (chunk) => {
    state.text += chunk.toString("latin1");
  });
  socket.on("close", () => {
    state.closed = true;
  });
  socket.write(bytes);
  return state;
}

const get = (target: string, extra = ""): string =>
  `GET ${target} HTTP/1.1\r\nHost: h\r\n${extra}\r\n`;

const bodiesIn = (text: string): number[] =>
  [...text.matchAll(/\{"n":(\d+)\}/g)].map(([, n]) => Number(n));

const numberOf = (req: Request): number => Number(req.url.slice(1));

describe("a connection with many requests", () => {
  it("processes at most 16 at once, stops reading meanwhile, and responds to all in order", async () => {
    const inside: [Request, Response][] = [];
    let answering = false;
    let most = 0;
    let bytesRead = 0;
    const answerAll = (): void => {
      for (const [req, res] of inside.splice(0)) {
        respondJson(res, 200, { n: numberOf(req) });
      }
    };
    const { port } = await open((req, res) => {
      inside.push([req, res]);
      most = Math.max(most, inside.length);
      ({ bytesRead } = req.socket);
      if (answering) {
        setImmediate(answerAll);
      }
    });
    const count = 6000;
    const all = Array.from({ length: count }, (_, n) =>
      get(`/${n}`, `X: ${"x".repeat(100)}\r\n`),
    ).join("");
    const one = client(port, all);
    await eventually(() => inside.length === 16);
    // The event loop has run many turns, so any further request would have arrived by now.
    for (let turn = 0; turn < 100; turn += 1) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(inside).toHaveLength(16);
    expect(bytesRead).toBeLessThanOrEqual(2 * 65_536);
    expect(all.length).toBeGreaterThan(8 * 65_536);

    answering = true;
    answerAll();
    await eventually(() => bodiesIn(one.text).length === count);
    expect(bodiesIn(one.text)).toEqual(
      Array.from({ length: count }, (_, n) => n),
    );
    expect(most).toBe(16);
  });

  it("parses heads split across reads, with bodies among them", async () => {
    const seen: string[] = [];
    const { port } = await open((req, res) => {
      let body = "";
      req.on("data", (chunk: Buffer) => {
        body += chunk.toString("latin1");
      });
      req.on("end", () => {
        seen.push(body);
        respondJson(res, 200, {});
      });
    });
    // These bodies look like the end of a head, or like a request.
    const bodies = Array.from({ length: 60 }, (_, n) =>
      `${"\r\n\r\n".repeat(n % 7)}${get("/x")}${"y".repeat(n * 331)}`.slice(
        n % 3,
      ),
    );
    const all = bodies
      .map((body, n) =>
        n % 2 === 0
          ? `POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ${body.length}\r\n\r\n${body}`
          : `POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
      )
      .join("");
    const { socket } = client(port, "");
    for (let at = 0; at < all.length; at += 1009) {
      await new Promise((resolve) =>
        socket.write(all.slice(at, at + 1009), resolve),
      );
    }
    await eventually(() => seen.length === bodies.length);
    expect(seen).toEqual(bodies);
  });

  it("ignores further requests after a response with Connection: close", async () => {
    const seen: number[] = [];
    const { port } = await open((req, res) => {
      seen.push(numberOf(req));
      if (seen.length === 3) {
        res.shouldKeepAlive = false;
      }
      respondJson(res, 200, { n: numberOf(req) });
    });
    const all = Array.from({ length: 500 }, (_, n) => get(`/${n}`)).join("");
    const text = await exchangeRaw(port, all);
    expect(bodiesIn(text)).toEqual([0, 1, 2]);
    expect(text.match(/connection: close/gi)).toHaveLength(1);
    expect(seen).toEqual([0, 1, 2]);
  });

  it("reads the rest of a request after its early last response, and nothing else", async () => {
    const seen: string[] = [];
    const { port } = await open((req, res) => {
      seen.push(req.url);
      const rest = lingeringClose(req, res, { close: true });
      writeJson(res, 200, {});
      rest.finish();
    });
    const chunk = `3e8\r\n${"x".repeat(1000)}\r\n`;
    const text = await exchangeRaw(port, [
      `POST /first HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(50)}`,
      `${chunk.repeat(50)}0\r\n\r\n`,
      get("/second").repeat(1000),
    ]);
    expect(text.match(/HTTP\/1\.1 200/g)).toHaveLength(1);
    expect(seen).toEqual(["/first"]);
  });

  it("sends pending responses before the error response, and nothing after it", async () => {
    const inside: [Request, Response][] = [];
    const { port } = await open((req, res) => {
      inside.push([req, res]);
    });
    const { socket } = client(port, "");
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
    });
    socket.write(`${get("/0").repeat(20)}\u0000nonsense\r\n\r\n${get("/1")}`);
    let answered = 0;
    while (answered < 20) {
      await eventually(() => inside.length > 0);
      for (const [req, res] of inside.splice(0)) {
        answered += 1;
        respondJson(res, 200, { n: numberOf(req) });
      }
    }
    await eventually(() => text.includes("400 Bad Request"));
    expect(bodiesIn(text)).toEqual(Array.from({ length: 20 }, () => 0));
    expect(text.indexOf("400 Bad Request")).toBeGreaterThan(
      text.lastIndexOf('{"n":0}'),
    );
    expect(inside).toHaveLength(0);
  });
});

describe("a connection that makes no progress", () => {
  const limits = { stuckTimeout: 300 };

  it("is closed when the client reads no responses", async () => {
    const { port } = await open(
      (_req, res) => {
        respondJson(res, 200, { filler: "x".repeat(100_000) });
      },
      { limits },
    );
    const { socket } = client(port, get("/"));
    socket.pause();
    socket.write(get("/").repeat(1000));
    const closed = new Promise((resolve) => socket.on("close", resolve));
    // A paused socket does not notice that the connection has closed; a write does.
    const probe = setInterval(() => socket.write(get("/")), 50);
    await closed;
    clearInterval(probe);
    expect(socket.destroyed).toBe(true);
  });

  it("stays open while the client reads slowly", async () => {
    const filler = "x".repeat(8_000_000);
    const { port } = await open(
      (_req, res) => {
        respondJson(res, 200, { filler });
      },
      { limits: { stuckTimeout: 1000 } },
    );
    const socket = connect(port, "127.0.0.1");
    cleanUp(() => socket.destroy());
    let received = 0;
    socket.on("error", () => undefined);
    socket.on("data", (chunk: Buffer) => {
      received += chunk.length;
      socket.pause();
      setTimeout(() => socket.resume(), 20);
    });
    socket.write(get("/"));
    await eventually(() => received > filler.length);
    expect(socket.destroyed).toBe(false);
  });

  it("is closed when the client sends only empty lines, also after a response", async () => {
    const { port } = await open(
      (_req, res) => {
        respondJson(res, 200, {});
      },
      { limits },
    );
    const fresh = client(port, "\r\n");
    const used = client(port, get("/"));
    await eventually(() => used.text.includes("200 OK"));
    const lines = setInterval(() => {
      fresh.socket.write("\r\n");
      used.socket.write("\n");
    }, 20);
    await eventually(() => fresh.closed && used.closed);
    clearInterval(lines);
    expect(fresh.text).toBe("");
  });

  it("is not counted as stuck when a newline follows its last request", async () => {
    const { port } = await open(
      (req, res) => {
        req.resume();
        req.on("end", () => {
          respondJson(res, 200, {});
        });
      },
      { limits },
    );
    const head = "POST / HTTP/1.1\r\nHost: h\r\n";
    const chunked = client(
      port,
      `${head}Transfer-Encoding: chunked\r\n\r\n0\r\n`,
    );
    const plain = client(port, `${head}Content-Length: 3\r\n\r\n{}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    chunked.socket.write("\r\n");
    plain.socket.write("\n");
    await eventually(() =>
      [chunked, plain].every(({ text }) => text.includes("200 OK")),
    );
    const emptyLines = client(port, "\r\n");
    await eventually(() => emptyLines.closed);
    expect([chunked.closed, plain.closed]).toEqual([false, false]);
  });

  it("stays open when empty lines come between its requests", async () => {
    const { port } = await open(
      (req, res) => {
        respondJson(res, 200, { n: numberOf(req) });
      },
      { limits },
    );
    const one = client(port, "");
    for (let n = 0; n < 30; n += 1) {
      one.socket.write(`\r\n\r\n${get(`/${n}`)}`);
      await eventually(() => bodiesIn(one.text).length === n + 1);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(one.closed).toBe(false);
  });
});

describe("unparsed input", () => {
  // The clients of each row together send more unparsed input than the limit of 128 KB.
  it.each([
    ["heads that do not end", "GET / HTTP/1.1\r\nX: ", 14_000],
    ["requests that must wait", get("/hang").repeat(3000), 0],
    ["requests without a response yet", get("/hang").repeat(10), 0],
  ])("has a memory limit for %s", async (_what, bytes, headBytes) => {
    const { port, rejected } = await open(
      (req, res) => {
        if (req.url === "/1") {
          respondJson(res, 200, { n: 1 });
        }
      },
      { unparsedBytes: 131_072 },
    );
    const hostile = Array.from({ length: 12 }, () => client(port, bytes));
    for (let written = 0; written < headBytes; written += 1000) {
      for (const { socket } of hostile) {
        socket.write("x".repeat(1000));
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await eventually(() => hostile.some(({ closed }) => closed));
    expect(rejected).toEqual([{ ...NONE, outOfMemory: 1 }]);
    // A single short request needs no memory of the pool.
    const genuine = client(port, get("/1"));
    await eventually(() => genuine.text.includes("200 OK"));
    // The memory of the first clients is freed for others.
    await eventually(async () => {
      const late = client(port, get("/1").repeat(1000));
      await eventually(
        () => late.closed || bodiesIn(late.text).length === 1000,
      );
      return !late.closed;
    });
  });
});

describe("a client whose request was rejected", () => {
  it("waits for its turn with the next request, until a request is accepted", async () => {
    const added: string[] = [];
    const { port, scheduler } = await open((req, res) => {
      respondJson(res, req.url === "/bad" ? 404 : 200, { n: 1 });
    });
    const { add } = scheduler;
    Object.assign(scheduler, {
      add: (task: Task) => {
        added.push("task");
        add(task);
      },
    });
    const one = client(port, "");
    const send = async (target: string): Promise<number> => {
      const before = one.text.length;
      added.length = 0;
      one.socket.write(get(target));
      await eventually(() => one.text.length > before);
      return added.length;
    };
    expect(await send("/bad")).toBe(0);
    expect(await send("/good")).toBe(1);
    expect(await send("/good")).toBe(0);
  });
});

describe("the buffer of a body", () => {
  it("is never larger than twice the bytes received, or than the declared length", () => {
    const sizes: number[] = [];
    const body = new BodyBuffer(
      { limit: 10_000, declared: 9000 },
      { resize: (bytes) => sizes.push(bytes) },
    );
    for (let n = 0; n < 9000; n += 1) {
      body.add(Buffer.from([n % 256]));
      expect(sizes.at(-1)).toBeLessThanOrEqual(Math.max(1024, 2 * (n + 1)));
    }
    expect(sizes.at(-1)).toBe(9000);
    expect(body.bytes()).toEqual(
      Buffer.from(Array.from({ length: 9000 }, (_, n) => n % 256)),
    );
    expect(() => {
      body.add(Buffer.alloc(1001));
    }).toThrow(expect.objectContaining({ code: "payload_too_large" }));
  });
});

describe("memory for unparsed input", () => {
  it.each([
    ["end", (socket: Socket) => socket.end()],
    ["reset", (socket: Socket) => socket.resetAndDestroy()],
  ])("is released when connections %s", async (_how, leave) => {
    const { listener, port, unparsed } = await open((req, res) => {
      if (req.url !== "/hang") {
        respondJson(res, 200, { n: 1 });
      }
    });
    const streams = [
      get("/1").repeat(3),
      get("/hang").repeat(3),
      get("/hang").repeat(3000),
      `${get("/1").repeat(20)}GET /`,
      `${get("/hang").repeat(5)}\u0000nonsense\r\n\r\n`,
      `POST /hang HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n${"1\r\nx\r\n".repeat(5000)}`,
      "GET /1 HTTP/1.1\r\nX: ",
    ];
    const hostile = streams.map((bytes) => client(port, bytes));
    await eventually(() => unparsed.held() > 65_536);
    for (const { socket } of hostile) {
      leave(socket);
    }
    // The service does not read connections with waiting input, so it notices their end only by a write or a limit. A
    // connection may be accepted after the others were destroyed, and a client notices the end later than the service.
    await eventually(() => {
      listener.destroy();
      return (
        unparsed.held() === 0 && hostile.every(({ socket }) => socket.destroyed)
      );
    });
    expect(unparsed.held()).toBe(0);
  });
});

describe("connections over the limit", () => {
  const answer = (_req: Request, res: Response): void => {
    respondJson(res, 200, {});
  };
  const isOpen = async (one: ReturnType<typeof client>): Promise<boolean> => {
    await eventually(() => one.closed || one.text.includes("200 OK"));
    return !one.closed;
  };
  const opened = async (
    port: number,
    count: number,
    localAddress?: string,
  ): Promise<number> => {
    let still = 0;
    for (let n = 0; n < count; n += 1) {
      still += (await isOpen(client(port, get("/"), localAddress))) ? 1 : 0;
    }
    return still;
  };

  it("are closed and reported once, while earlier ones stay open, and are accepted again after one ends", async () => {
    const { port, rejected } = await open(answer, { limits: { max: 5 } });
    const clients = Array.from({ length: 8 }, () => client(port, get("/")));
    const areOpen = await Promise.all(clients.map(isOpen));
    expect(areOpen.filter(Boolean)).toHaveLength(5);
    expect(rejected).toEqual([{ ...NONE, overLimit: 1 }]);
    const [first, ...others] = clients.filter((_, n) => areOpen[n]);
    first?.socket.destroy();
    await eventually(async () => isOpen(client(port, get("/"))));
    expect(others.every(({ socket }) => !socket.destroyed)).toBe(true);
  });

  it("are counted for each address", async () => {
    const { port } = await open(answer, {
      limits: { max: 8, maxPerNetwork: 2 },
    });
    expect(await opened(port, 4)).toBe(2);
    expect(await opened(port, 4, "127.0.0.2")).toBe(2);
  });

  it("are counted for a /64 of IPv6", async () => {
    const sockets = ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"].map(
      (remoteAddress) => {
        const socket = new Duplex({
          read: () => undefined,
          write: (_chunk, _encoding, done) => {
            done();
          },
        });
        socket.on("data", () => undefined);
        return Object.assign(socket, { remoteAddress });
      },
    );
    const connections = createConnections(
      {
        scheduler: createScheduler(() => 0),
        unparsed: createMemoryPool({ maxBytes: 1, now: () => 0 }),
        isProxy: createIsProxy(0),
        now: () => 0,
        handle: () => undefined,
        onError: () => undefined,
        onReject: () => undefined,
      },
      { max: 10, maxPerNetwork: 1, stuckMs: 1000 },
    );
    for (const socket of sockets) {
      connections.accept(socket as unknown as Socket);
    }
    expect(sockets.map(({ destroyed }) => destroyed)).toEqual([
      false,
      true,
      false,
    ]);
  });

  it("are not counted for the address of a trusted proxy", async () => {
    const { port } = await open(answer, {
      limits: { max: 8, maxPerNetwork: 2 },
      trust: ["127.0.0.2"],
    });
    expect(await opened(port, 4, "127.0.0.2")).toBe(4);
    expect(await opened(port, 4)).toBe(2);
  });

  it("are those above limits that leave descriptors for the rest of the service", () => {
    expect(publicLimits(1024, null)).toEqual({ max: 768, maxPerNetwork: 192 });
    expect(publicLimits(1_048_576, null)).toEqual({
      max: 10_000,
      maxPerNetwork: 2500,
    });
    expect(publicLimits(Number.POSITIVE_INFINITY, null).max).toBe(10_000);
    expect(publicLimits(1024, 3)).toEqual({ max: 3, maxPerNetwork: 1 });
    expect(publicLimits(256, 1000).max).toBe(192);
    expect(adminLimits(256)).toEqual({ max: 32, maxPerNetwork: 32 });
    expect(adminLimits(1_048_576).max).toBe(10_000);
    expect(descriptorLimit()).toBeGreaterThan(100);
  });
});

describe("an exception", () => {
  it.each([
    [
      "in a listener of the response",
      (_req: Request, res: Response) => {
        res.on("finish", () => {
          throw new Error("planted");
        });
        respondJson(res, 200, {});
      },
    ],
    [
      "in a listener of the request",
      (req: Request) => {
        req.on("end", () => {
          throw new Error("planted");
        });
        req.resume();
      },
    ],
    [
      "as an error of the request without a listener",
      (req: Request) => {
        req.emit("error", new Error("planted"));
      },
    ],
  ])("%s ends only its connection", async (_where, handle) => {
    const { port, errors } = await open((req, res) => {
      if (req.url === "/bad") {
        handle(req, res);
      } else {
        respondJson(res, 200, { n: 1 });
      }
    });
    const other = client(port, get("/1"));
    await eventually(() => other.text.includes("200 OK"));
    const bad = client(port, get("/bad"));
    await eventually(() => bad.closed);
    expect(errors).toHaveLength(1);
    expect(String(errors[0])).toContain("planted");
    other.socket.write(get("/1"));
    await eventually(() => bodiesIn(other.text).length === 2);
  });
});

describe("the shared read buffer", () => {
  it("receives the input of accepted sockets, by means of internals of Node", async () => {
    const taken: Buffer[] = [];
    const copies: string[] = [];
    let emitted = 0;
    const server = createServer((socket) => {
      socket.on("data", () => {
        emitted += 1;
      });
      readIntoSharedBuffer(socket, (bytes) => {
        taken.push(bytes);
        copies.push(bytes.toString());
        socket.write(bytes);
      });
    });
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    const { port } = server.address() as AddressInfo;
    for (const text of ["first", "other"]) {
      await exchangeRaw(port, text, (answer) => answer === text);
    }
    await new Promise((resolve) => server.close(resolve));
    expect(emitted).toBe(0);
    expect(copies).toEqual(["first", "other"]);
    expect(taken[0]?.buffer).toBe(taken[1]?.buffer);
    expect(taken[0]?.toString()).toBe("other");
  });

  it("is not kept as the body of a request, so that the next read does not change the body", async () => {
    const bodies = ["a", "b", "c"].map((text) => text.repeat(3000));
    const requests: IncomingMessage[] = [];
    let received = 0;
    const server = createHttpServer((req) => {
      requests.push(req);
    });
    server.on("connection", (socket) => {
      const [parse] = socket.listeners("data") as ((bytes: Buffer) => void)[];
      readIntoSharedBuffer(socket, (bytes) => {
        received += bytes.length;
        parse!(bytes);
      });
    });
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    const { port } = server.address() as AddressInfo;
    let sent = 0;
    const sockets = bodies.map((body) => {
      const text = `POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
      sent += text.length;
      const socket = connect(port, "127.0.0.1");
      socket.write(text);
      return socket;
    });
    // All bodies are received before the first one is read.
    await eventually(() => received === sent);
    const read = await Promise.all(
      requests.map(async (req) =>
        Buffer.concat(await req.toArray()).toString(),
      ),
    );
    expect(read.sort()).toEqual(bodies);
    sockets.forEach((socket) => socket.destroy());
    server.closeAllConnections();
    server.close();
  });
});

describe("the scheduler", () => {
  it("runs the task with the least time first, yields to the event loop, and stops when all tasks are done", async () => {
    let clock = 0;
    const scheduler = createScheduler(() => clock);
    const order: string[] = [];
    const task = (name: string, steps: number, costMs: number): Task => {
      let left = steps;
      return {
        spent: 0,
        step: () => {
          order.push(name);
          clock += costMs;
          left -= 1;
          return left > 0;
        },
      };
    };
    scheduler.add(task("a", 3, 5));
    scheduler.add(task("b", 9, 1));
    let turned = 0;
    while (order.length < 12) {
      await new Promise((resolve) => setImmediate(resolve));
      turned += 1;
    }
    expect(order.join("")).toBe("abbbbbabbbba");
    expect(turned).toBeGreaterThan(3);

    // A task that is added again and again does not delay the others indefinitely.
    order.length = 0;
    let comes = 400;
    const comeAgain = (): void => {
      const next = task("n", 1, 1);
      const { step } = next;
      scheduler.add({
        ...next,
        step: () => {
          comes -= 1;
          if (comes > 0) {
            comeAgain();
          }
          return step();
        },
      });
    };
    scheduler.add(task("w", 2, 3));
    comeAgain();
    await eventually(() => comes === 0);
    expect(order.lastIndexOf("w")).toBeLessThan(300);
    await eventually(() => order.length === 402);

    // A task that is added late gets no advantage from the time before it was added.
    order.length = 0;
    scheduler.add(task("c", 2, 5));
    scheduler.add(task("d", 1, 5));
    scheduler.shortenTurn();
    await eventually(() => order.length === 3);
    expect(order.join("")).toBe("cdc");
    expect(await scheduler.run(1, async () => 7)).toBe(7);
    await expect(
      scheduler.run(1, async () => {
        throw new Error("planted");
      }),
    ).rejects.toThrow("planted");
  });
});
