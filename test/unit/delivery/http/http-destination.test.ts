import type {
  AttemptResult,
  ClaimedDelivery,
} from "../../../../src/domain/delivery.ts";
import { beforeEach, describe, expect, it } from "@jest/globals";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { getEventListeners, once } from "node:events";
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from "node:http";
import { createServer as createHttpsServer } from "node:https";
import {
  type AddressInfo,
  createServer as createTcpServer,
  type LookupFunction,
  type Server,
  type Socket,
} from "node:net";
import {
  createGuardedLookup,
  forbiddenHost,
  forbiddenLiteral,
} from "../../../../src/delivery/http/address-guard.ts";
import {
  createHttpDestination,
  type HttpDestinationDeps,
  type HttpDestinationOptions,
} from "../../../../src/delivery/http/http-destination.ts";
import { createSharedLookup } from "../../../../src/delivery/http/shared-lookup.ts";
import { networkFault } from "../../../../src/errors.ts";
import { cleanUp } from "../../../support/cleanup.ts";
import { eventually } from "../../../support/eventually.ts";
import { selfSigned } from "../../../support/self-signed.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const NOW = Date.UTC(2026, 10, 23, 18, 0, 0);

/** The servers and destinations that a test opened. They are closed after it, which ends when no connection is left. */
let open: { destinations: { close(): void }[]; servers: Server[] } = {
  destinations: [],
  servers: [],
};

beforeEach(() => {
  cleanUp(async () => {
    const { destinations, servers } = open;
    open = { destinations: [], servers: [] };
    for (const destination of destinations) {
      destination.close();
    }
    for (const server of servers) {
      server.close();
      await once(server, "close");
    }
  });
});

async function listen(server: Server) {
  const connections = { now: 0, most: 0, ever: 0 };
  server.on("connection", (socket: Socket) => {
    connections.ever += 1;
    connections.now += 1;
    connections.most = Math.max(connections.most, connections.now);
    socket.on("error", () => undefined);
    socket.on("close", () => {
      connections.now -= 1;
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  open.servers.push(server);
  const { port } = server.address() as AddressInfo;
  return { port, connections, url: `http://127.0.0.1:${port}/hooks?a=1` };
}

/** Returns a port on which nothing listens. */
async function freed(): Promise<AddressInfo> {
  const server = createTcpServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return address;
}

async function listenOnOneOf(server: Server, ports: readonly number[]) {
  for (const port of ports) {
    const listening = once(server, "listening");
    server.listen(port, "127.0.0.1");
    try {
      await listening;
      open.servers.push(server);
      return port;
    } catch {
      // The port is taken, so the next one is tried.
    }
  }
  throw new Error("all ports are taken");
}

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

type Reply = (res: ServerResponse, attempt: number) => void;

/** Starts a server that reads each request to its end, records it and calls `reply`. */
async function httpServer(reply: Reply) {
  const seen: Seen[] = [];
  const listener: RequestListener = (req, res) => {
    void whole(req).then((body) => {
      const { method, url, rawHeaders } = req;
      seen.push({ method, url, rawHeaders, body });
      reply(res, seen.length);
    });
  };
  const server = createHttpServer({ keepAliveTimeout: 60_000 }, listener);
  return { seen, ...(await listen(server)) };
}

async function whole(req: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of req as AsyncIterable<Buffer>) {
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Starts a server that calls `onRequest` for each complete request with `BODY`. */
async function rawServer(onRequest: (socket: Socket, nth: number) => void) {
  const requests = { count: 0 };
  const server = createTcpServer((socket) => {
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      if (text.endsWith(BODY.toString("latin1"))) {
        text = "";
        requests.count += 1;
        onRequest(socket, requests.count);
      }
    });
  });
  return { requests, ...(await listen(server)) };
}

const noLookup: LookupFunction = (name) => {
  throw new Error(`${name} should not be looked up`);
};

/** Creates a resolver with these answers, one for each call. It returns the first address if the caller wants only one. */
function resolver(...answers: readonly (readonly string[])[]) {
  const asked: string[] = [];
  const lookup: LookupFunction = (name, options, callback) => {
    const addresses = answers[Math.min(asked.length, answers.length - 1)] ?? [];
    asked.push(name);
    const found = addresses.map((address) => ({
      address,
      family: address.includes(":") ? 6 : 4,
    }));
    setImmediate(() => {
      const [first] = found;
      if (first === undefined) {
        callback(coded("ENOTFOUND"), []);
      } else if (options.all) {
        callback(null, found);
      } else {
        callback(null, first.address, first.family);
      }
    });
  };
  return { asked, lookup };
}

function coded(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error("failed"), { code });
}

function destinationAt(
  url: string,
  options: Partial<HttpDestinationOptions & HttpDestinationDeps> = {},
) {
  const destination = createHttpDestination(
    {
      now: () => NOW,
      randomHex: (bytes) => "5a".repeat(bytes),
      lookup: noLookup,
      userAgent: "Hexhook/0.0.0-test",
      ...options,
    },
    {
      name: "billing",
      sources: ["hex"],
      events: ["*"],
      orderBy: null,
      url,
      secret: null,
      concurrency: 4,
      allowPrivate: true,
      ...options,
    },
  );
  open.destinations.push(destination);
  return {
    ...destination,
    /** Makes one attempt. Nothing aborts it unless a signal is given. */
    post: (signal: AbortSignal = never, body: Buffer = BODY) =>
      destination.attempt(delivery(body), signal, null),
  };
}

const BODY = Buffer.from('{"id":"evt_1","type":"t","x":"\xff"}', "latin1");

function delivery(body: Buffer): ClaimedDelivery {
  return {
    id: 7,
    destination: "billing",
    attempt: 3,
    scheduledAttempt: 2,
    crashes: 0,
    startedAt: NOW,
    event: {
      seq: 1,
      source: "hex",
      id: "evt_1",
      type: "invoice.paid",
      receivedAt: NOW,
      contentType: "application/json; charset=utf-8",
      headers: '{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-1-01"}',
      body,
    },
  };
}

const never = new AbortController().signal;

function attemptAt(
  url: string,
  options: Parameters<typeof destinationAt>[1] = {},
): Promise<AttemptResult> {
  return destinationAt(url, options).post();
}

const network = (detail: unknown): object => ({
  ok: false,
  reason: "network",
  detail,
});
const status = (code: number): AttemptResult => ({
  ok: false,
  reason: "status",
  status: code,
  gone: code === 410,
});
const DONE: AttemptResult = { ok: true, status: 200 };
const TIMEOUT = { ok: false, reason: "timeout" };

const head = (line: string, ...headers: readonly string[]): string =>
  [`HTTP/1.1 ${line}`, ...headers, "", ""].join("\r\n");
const OK = head("200 OK", "content-length: 0");

describe("an attempt", () => {
  it("is one POST with the exact bytes, their length and no unexpected header", async () => {
    const { seen, port, url } = await httpServer((res) => res.end());
    expect(await attemptAt(url)).toEqual(DONE);
    expect(seen).toHaveLength(1);
    const [{ method, url: target, rawHeaders, body }] = seen as [Seen];
    expect([method, target]).toEqual(["POST", "/hooks?a=1"]);
    expect(body.equals(BODY)).toBe(true);
    const names = rawHeaders.filter((_, at) => at % 2 === 0);
    const headers = Object.fromEntries(
      names.map((name, n) => [name.toLowerCase(), rawHeaders[2 * n + 1]]),
    );
    expect(Object.keys(headers)).toHaveLength(names.length);
    expect(headers).toEqual({
      host: `127.0.0.1:${port}`,
      connection: "keep-alive",
      "content-type": "application/json; charset=utf-8",
      "content-length": String(BODY.length),
      "user-agent": "Hexhook/0.0.0-test",
      "webhook-id": "evt_1",
      "webhook-timestamp": String(NOW / 1000),
      "x-hexhook-source": "hex",
      "x-hexhook-type": "invoice.paid",
      "x-hexhook-attempt": "3",
      traceparent: expect.stringMatching(
        /^00-[0-9a-f]{32}-5a5a5a5a5a5a5a5a-01$/,
      ),
    });
  });

  it("sends an empty body with length 0", async () => {
    const { seen, url } = await httpServer((res) => res.end());
    await destinationAt(url).post(never, Buffer.alloc(0));
    const { rawHeaders, body } = seen[0]!;
    expect(body).toHaveLength(0);
    expect(rawHeaders[rawHeaders.indexOf("content-length") + 1]).toBe("0");
    expect(rawHeaders).not.toContain("Transfer-Encoding");
  });

  it("shows only the origin of its URL, because the path may contain secrets", () => {
    const { kind, place, name, sources } = destinationAt(
      "https://hooks.example:8443/services/T0/geheim",
    );
    expect({ kind, place, name, sources }).toEqual({
      kind: "http",
      place: "https://hooks.example:8443",
      name: "billing",
      sources: ["hex"],
    });
  });

  it.each<[number, AttemptResult]>([
    [200, { ok: true, status: 200 }],
    [204, { ok: true, status: 204 }],
    [299, { ok: true, status: 299 }],
    ...[300, 301, 304, 307, 308, 400, 404, 410, 429, 500, 503, 599].map(
      (code): [number, AttemptResult] => [code, status(code)],
    ),
  ])("with status %d results in %j", async (code, result) => {
    const { url } = await httpServer((res) => res.writeHead(code).end());
    expect(await attemptAt(url)).toEqual(result);
  });

  it("follows no redirect", async () => {
    const elsewhere = await httpServer((res) => res.end());
    const { seen, url } = await httpServer((res) =>
      res.writeHead(307, { location: elsewhere.url }).end(),
    );
    expect(await attemptAt(url)).toEqual(status(307));
    expect(seen).toHaveLength(1);
    expect(elsewhere.seen).toHaveLength(0);
  });

  it("reaches a port that browsers and fetch forbid", async () => {
    const server = createHttpServer((_req, res) => res.end());
    const port = await listenOnOneOf(server, [6697, 6679, 6566, 5061, 4190]);
    expect(await attemptAt(`http://127.0.0.1:${port}/`)).toEqual(DONE);
  });

  it("fails with the code of the network error", async () => {
    const { port } = await freed();
    const at = (host: string): string => `http://${host}:${port}/`;
    expect(await attemptAt(at("127.0.0.1"))).toEqual(network("ECONNREFUSED"));
    const several = resolver(["127.0.0.1", "127.0.0.2"]);
    expect(await attemptAt(at("hook.test"), several)).toEqual(
      network("ECONNREFUSED"),
    );
    const nowhere = resolver([]);
    expect(await attemptAt(at("hook.test"), nowhere)).toEqual(
      network("ENOTFOUND"),
    );
    const empty: LookupFunction = (_name, _options, callback) => {
      callback(null, []);
    };
    expect(await attemptAt(at("hook.test"), { lookup: empty })).toEqual(
      network("ENOTFOUND"),
    );
    const broken: LookupFunction = (_name, _options, callback) => {
      callback(null, "not an address", 4);
    };
    expect(await attemptAt(at("hook.test"), { lookup: broken })).toEqual(
      network("ENOTFOUND"),
    );
  });

  it.each<[string, readonly string[], number | undefined]>([
    ["seconds", ["30"], 30_000],
    ["absurdly many seconds", ["9".repeat(100)], Number.MAX_SAFE_INTEGER],
    ["a date", ["Mon, 23 Nov 2026 18:01:00 GMT"], 60_000],
    ["an obsolete date", ["Monday, 23-Nov-26 18:01:00 GMT"], 60_000],
    ["a C date", ["Mon Nov 23 18:01:00 2026"], 60_000],
    ["a past date", ["Mon, 23 Nov 2026 17:00:00 GMT"], 0],
    ["spaces around it", ["  30\t"], 30_000],
    ["no time", ["soon"], undefined],
    ["a negative time", ["-30"], undefined],
    ["the first of two", ["10", "20"], 10_000],
    ["the first of two, which is invalid", ["soon", "20"], undefined],
  ])("reads Retry-After: %s", async (_what, values, wait) => {
    const { url } = await rawServer((socket) => {
      const headers = values.map((value) => `retry-after: ${value}`);
      socket.write(
        head("503 Busy", ...headers, "Retry-After-Not: 1", "content-length: 0"),
      );
    });
    expect(await attemptAt(url)).toEqual({
      ...status(503),
      ...(wait === undefined ? {} : { retryAfterMs: wait }),
    });
  });

  it("ignores Retry-After of a success", async () => {
    const { url } = await httpServer((res) =>
      res.writeHead(202, { "retry-after": "30" }).end(),
    );
    expect(await attemptAt(url)).toEqual({ ok: true, status: 202 });
  });

  it("fails with the code of a header that cannot be sent", async () => {
    const { event, ...rest } = delivery(BODY);
    const odd = { ...rest, event: { ...event, contentType: "a\nb" } };
    expect(
      await destinationAt("http://127.0.0.1:9/").attempt(odd, never, null),
    ).toEqual(network("ERR_INVALID_CHAR"));
  });
});

describe("a response", () => {
  const end = (text: string) => (socket: Socket) => socket.end(text, "latin1");
  const write = (text: string) => (socket: Socket) =>
    socket.write(text, "latin1");
  const reset = (text: string) => (socket: Socket) => {
    socket.write(text, "latin1", () => {
      // Reset two turns later, after the text was read: libuv of Node 20 reports text and reset together as the end.
      setImmediate(() => setImmediate(() => socket.resetAndDestroy()));
    });
  };
  const pump = (text: string) => (socket: Socket) => {
    const piece = Buffer.from(text.repeat(Math.ceil(16_384 / text.length)));
    const more = (): void => {
      while (!socket.destroyed && socket.write(piece)) {
        // Writes as fast as the other side reads.
      }
    };
    socket.on("drain", more);
    more();
  };
  const chunked = (body: string): string =>
    head("200 OK", "transfer-encoding: chunked") + body;
  const reply = (text: string, ...headers: readonly string[]): string =>
    head("200 OK", ...headers) + text;

  it.each<[string, (socket: Socket) => unknown, object]>([
    ["after 100", write(head("100 Continue") + OK), { ok: true }],
    [
      "after 102 and 103",
      write(head("102 P") + head("103 E") + OK),
      { ok: true },
    ],
    ["that is 101", end(head("101 Switching Protocols")), status(101)],
    [
      "that switches protocols",
      write(
        head("101 Switching Protocols", "connection: upgrade", "upgrade: x"),
      ),
      status(101),
    ],
    [
      "of endless 1xx",
      pump(head("103 Early Hints", "link: </a>")),
      network(expect.stringMatching(/^no status/)),
    ],
    [
      "of endless empty lines",
      pump("\r\n"),
      network(expect.stringMatching(/^no status/)),
    ],
    [
      "that is missing because the connection closes",
      end(""),
      network("ECONNRESET"),
    ],
    [
      "that is missing because the connection is reset",
      reset(""),
      network("ECONNRESET"),
    ],
    [
      "that breaks off in its head",
      end("HTTP/1.1 200 O"),
      network("ECONNRESET"),
    ],
    [
      "that is reset in its head",
      reset("HTTP/1.1 200 O"),
      network("ECONNRESET"),
    ],
    [
      "that closes before its end",
      end(reply("abc", "content-length: 10")),
      network("ECONNRESET"),
    ],
    [
      "that is reset before its end",
      reset(reply("abc", "content-length: 10")),
      network("ECONNRESET"),
    ],
    ["that ends with the connection", end(reply("abc")), { ok: true }],
    ["of HTTP/1.0", end("HTTP/1.0 200 OK\r\n\r\nabc"), { ok: true }],
    [
      "that would end with the connection, but is reset",
      reset(reply("abc")),
      network("ECONNRESET"),
    ],
    [
      "that is longer than its content-length",
      write(reply("abcdef", "content-length: 3")),
      { ok: true, status: 200 },
    ],
    [
      "followed by another one",
      write(OK + head("500 No")),
      { ok: true, status: 200 },
    ],
    [
      "with an invalid length",
      write(reply("abc", "content-length: 3x")),
      network("HPE_INVALID_CONTENT_LENGTH"),
    ],
    [
      "with two lengths",
      write(reply("abc", "content-length: 3", "content-length: 2")),
      network("HPE_UNEXPECTED_CONTENT_LENGTH"),
    ],
    [
      "in chunks",
      write(chunked("3;x=y\r\nabc\r\n0\r\na: b\r\n\r\n")),
      { ok: true },
    ],
    [
      "in chunks without a size",
      write(chunked("3\r\nabc\r\nzz\r\n")),
      network("HPE_INVALID_CHUNK_SIZE"),
    ],
    [
      "in chunks without an end",
      end(chunked("3\r\nabc\r\n")),
      network("ECONNRESET"),
    ],
    [
      "in chunks with endless extensions",
      pump(chunked(`1;${"x".repeat(60 * KIB)}`)),
      network("HPE_CHUNK_EXTENSIONS_OVERFLOW"),
    ],
    [
      "with an endless head",
      (socket) => {
        socket.write("HTTP/1.1 200 OK\r\n");
        pump("x-filler: 1\r\n")(socket);
      },
      network("HPE_HEADER_OVERFLOW"),
    ],
    [
      "that is SSH",
      write("SSH-2.0-OpenSSH_9.6\r\n"),
      network(expect.stringMatching(/^HPE_/)),
    ],
    [
      "that is TLS",
      write("\x15\x03\x01\x00\x02\x02\x46"),
      network(expect.stringMatching(/^HPE_/)),
    ],
    [
      "that is noise",
      write("\x00\xff\x00\xff".repeat(100)),
      network(expect.stringMatching(/^HPE_/)),
    ],
    [
      "of HTTP/2",
      write("\x00\x00\x12\x04\x00\x00\x00\x00\x00"),
      network(expect.stringMatching(/^HPE_/)),
    ],
    [
      "without a status",
      write("HTTP/1.1 OK\r\n\r\n"),
      network(expect.stringMatching(/^HPE_/)),
    ],
    ["of status 99", end("HTTP/1.1 099 Low\r\n\r\n"), status(99)],
    [
      "without a reason",
      write("HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n"),
      { ok: true },
    ],
  ])(
    "%s leads to a result and leaves no listener or connection",
    async (_what, how, result) => {
      const { url, connections } = await rawServer((socket) => {
        how(socket);
      });
      const abort = new AbortController();
      const got = await destinationAt(url).post(abort.signal);
      expect(got).toMatchObject(result);
      expect(getEventListeners(abort.signal, "abort")).toHaveLength(0);
      expect(connections.ever).toBe(1);
    },
  );
});

/** Writes as fast as the other side reads, and counts the bytes. */
function flood(socket: Socket, first: string, piece: Buffer, total: number) {
  const taken = { bytes: 0 };
  let left = Math.ceil(total / piece.length);
  const next = (): void => {
    if (left > 0 && !socket.destroyed) {
      left -= 1;
      socket.write(piece, (error) => {
        if (!error) {
          taken.bytes += piece.length;
          next();
        }
      });
    }
  };
  socket.write(first, next);
  return taken;
}

describe("a long response", () => {
  it.each([
    ["of 1 GB", `content-length: ${1024 * MIB}`, 1024 * MIB],
    ["without an end", "connection: close", Infinity],
    ["in endless chunks", "transfer-encoding: chunked", Infinity],
  ])(
    "%s is judged by its status and not read to the end",
    async (_what, header, total) => {
      const size = 64 * KIB;
      const piece = Buffer.concat([
        Buffer.from(`${size.toString(16)}\r\n`),
        Buffer.alloc(size, "x"),
        Buffer.from("\r\n"),
      ]);
      let taken = { bytes: 0 };
      const { url, connections } = await rawServer((socket) => {
        taken = flood(socket, head("500 Oh", header), piece, total);
      });
      const before = process.memoryUsage().arrayBuffers;
      expect(await attemptAt(url)).toEqual(status(500));
      await eventually(() => connections.now === 0);
      // No more than the buffers of the system hold.
      expect(taken.bytes).toBeLessThan(64 * MIB);
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(
        64 * MIB,
      );
    },
  );

  it("of less than 64 KiB is read, and the connection is reused", async () => {
    const { url, connections } = await httpServer((res) =>
      res.end("x".repeat(60 * KIB)),
    );
    const destination = destinationAt(url);
    expect(await destination.post()).toEqual(DONE);
    expect(await destination.post()).toEqual(DONE);
    expect(connections.ever).toBe(1);
  });
});

describe("a response before the end of the request body", () => {
  const body = Buffer.alloc(32 * MIB, "x");

  /** Responds to the first bytes and reads no further until a test resumes it. */
  async function hasty(respond: (socket: Socket) => void) {
    const got = { bytes: 0 };
    let held: Socket | undefined;
    const server = createTcpServer((socket) => {
      socket.on("data", (chunk) => {
        got.bytes += chunk.length;
        if (held === undefined) {
          held = socket;
          socket.pause();
          respond(socket);
        }
      });
    });
    return { got, readOn: () => held?.resume(), ...(await listen(server)) };
  }

  it.each<[string, (socket: Socket) => void]>([
    [
      "keeps the connection",
      (socket) => {
        socket.write(head("413 Large", "content-length: 0"));
      },
    ],
    [
      "closes the connection",
      (socket) => {
        socket.end(head("413 Large", "connection: close", "content-length: 0"));
      },
    ],
  ])(
    "that %s is the result, and the rest of the body is not sent",
    async (_what, respond) => {
      const { url, got, readOn, connections } = await hasty(respond);
      const destination = destinationAt(url, { concurrency: 1 });
      expect(await destination.post(never, body)).toEqual(status(413));
      readOn();
      await eventually(() => connections.now === 0);
      expect(got.bytes).toBeLessThan(body.length);
    },
  );

  it("that resets the connection is a result", async () => {
    const { url } = await hasty((socket) => {
      socket.write(head("413 Large", "content-length: 0"), () => {
        socket.resetAndDestroy();
      });
    });
    expect(await destinationAt(url).post(never, body)).toMatchObject({
      ok: false,
    });
  });

  it("that is missing while the body is not read lets the signal end the attempt", async () => {
    const { url, got, readOn, connections } = await hasty(() => undefined);
    const abort = new AbortController();
    const attempt = destinationAt(url).post(abort.signal, body);
    await eventually(() => got.bytes > 0);
    abort.abort();
    expect(await attempt).toEqual(TIMEOUT);
    readOn();
    await eventually(() => connections.now === 0);
  });
});

describe("the timeout of an attempt", () => {
  const drip = (first: string, piece: string) => (socket: Socket) => {
    socket.write(first);
    const timer = setInterval(() => socket.write(piece), 1);
    socket.on("close", () => {
      clearInterval(timer);
    });
  };

  it.each<[string, number, (socket: Socket) => void]>([
    ["gets no response", 0, () => undefined],
    ["gets a body byte by byte", 100, drip(head("200 OK"), "x")],
    ["gets a head byte by byte", 100, drip("HTTP/1.1 200 OK\r\nx: ", "x")],
    ["gets one 102 after another", 100, drip("", head("102 Processing"))],
    [
      "gets half a response",
      40,
      (socket) => {
        socket.write(head("200 OK", "content-length: 9", "x: y") + "abc");
      },
    ],
  ])(
    "ends an attempt that %s, and its connection",
    async (_what, bytes, how) => {
      let got: Socket | undefined;
      const { url, connections } = await rawServer((socket) => {
        got = socket;
        how(socket);
      });
      const abort = new AbortController();
      const attempt = destinationAt(url).post(abort.signal);
      await eventually(() => got !== undefined && got.bytesWritten >= bytes);
      abort.abort();
      expect(await attempt).toEqual(TIMEOUT);
      await eventually(() => connections.now === 0);
      expect(getEventListeners(abort.signal, "abort")).toHaveLength(0);
    },
  );

  it("ends an attempt during the look-up of its name", async () => {
    const asked: (() => void)[] = [];
    const lookup: LookupFunction = (_name, _options, callback) => {
      asked.push(() => {
        callback(null, [{ address: "127.0.0.1", family: 4 }]);
      });
    };
    const { port, connections } = await httpServer((res) => res.end());
    const destination = destinationAt(`http://hook.test:${port}/`, { lookup });
    const abort = new AbortController();
    const attempt = destination.post(abort.signal);
    await eventually(() => asked.length === 1);
    abort.abort();
    expect(await attempt).toEqual(TIMEOUT);

    // A look-up cannot be aborted. The next attempt waits for the same look-up and does not start another.
    const next = destination.post();
    asked[0]!();
    expect(await next).toEqual(DONE);
    expect(asked).toHaveLength(1);
    expect(connections.ever).toBe(1);
  });

  it("ends an attempt that waits for a connection, and no other attempt", async () => {
    const { seen, url, connections } = await httpServer((res, attempt) => {
      if (attempt > 1) {
        res.end();
      }
    });
    const destination = destinationAt(url, { concurrency: 1 });
    const [first, second] = [new AbortController(), new AbortController()];
    const hanging = destination.post(first.signal);
    const waiting = destination.post(second.signal);
    await eventually(() => seen.length === 1);
    second.abort();
    expect(await waiting).toEqual(TIMEOUT);
    expect(connections.now).toBe(1);
    first.abort();
    expect(await hanging).toEqual(TIMEOUT);
    expect(await destination.post()).toEqual(DONE);
    expect(seen).toHaveLength(2);
  });

  it("prevents an attempt when it has passed before the start", async () => {
    const { seen, url, connections } = await httpServer((res) => res.end());
    const destination = destinationAt(url);
    expect(await destination.post(AbortSignal.abort())).toEqual(TIMEOUT);
    const abort = new AbortController();
    const attempt = destination.post(abort.signal);
    abort.abort();
    expect(await attempt).toEqual(TIMEOUT);
    await destination.post();
    await eventually(() => connections.now === 1);
    expect(seen).toHaveLength(1);
  });
});

describe("connections", () => {
  it("are kept between attempts, without listeners of earlier attempts", async () => {
    const { seen, url, connections } = await httpServer((res) => res.end("ok"));
    const sockets: Socket[] = [];
    const note = (message: unknown): void => {
      sockets.push((message as { socket: Socket }).socket);
    };
    const listeners = (): number[] =>
      sockets.flatMap((socket) =>
        socket.eventNames().map((name) => socket.listenerCount(name)),
      );
    const destination = destinationAt(url);
    const { signal } = new AbortController();
    subscribe("net.client.socket", note);
    expect(await destination.post(signal)).toEqual(DONE);
    const atFirst = listeners();
    for (let n = 1; n < 30; n += 1) {
      expect(await destination.post(signal)).toEqual(DONE);
    }
    unsubscribe("net.client.socket", note);
    expect([seen.length, connections.ever, sockets.length]).toEqual([30, 1, 1]);
    expect(listeners()).toEqual(atFirst);
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });

  it("are never more than the concurrency", async () => {
    const { seen, url, connections } = await httpServer((res) => {
      setImmediate(() => res.end());
    });
    const destination = destinationAt(url, { concurrency: 3 });
    const results = await Promise.all(
      Array.from({ length: 30 }, () => destination.post()),
    );
    expect(results.every(({ ok }) => ok)).toBe(true);
    expect(seen).toHaveLength(30);
    expect([connections.most, connections.ever]).toEqual([3, 3]);
  });

  it("are closed when idle, before the 5 s after which most servers close them", async () => {
    const { url, connections } = await httpServer((res) => res.end());
    expect(await attemptAt(url)).toEqual(DONE);
    const since = performance.now();
    expect(connections.now).toBe(1);
    await eventually(() => connections.now === 0);
    const idleMs = performance.now() - since;
    expect(idleMs).toBeGreaterThan(3500);
    expect(idleMs).toBeLessThan(4900);
  });

  it.each<[string, (socket: Socket) => unknown]>([
    [
      "sends Connection: close",
      (s) => s.end(head("200 OK", "connection: close", "content-length: 0")),
    ],
    [
      "speaks HTTP/1.0",
      (s) => s.end("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n"),
    ],
    [
      "allows no keep-alive time",
      (s) =>
        s.write(head("200 OK", "keep-alive: timeout=0", "content-length: 0")),
    ],
    [
      "sends a long response",
      (s) =>
        s.write(
          head("200 OK", `content-length: ${64 * KIB}`) + "x".repeat(64 * KIB),
        ),
    ],
    ["sends two responses at once", (s) => s.write(OK + OK)],
    ["sends more than its content-length", (s) => s.write(`${OK}x`)],
  ])("are not reused when the server %s", async (_what, how) => {
    const { url, connections } = await rawServer((socket) => {
      how(socket);
    });
    const destination = destinationAt(url, { concurrency: 1 });
    for (const ever of [1, 2]) {
      expect(await destination.post()).toEqual(DONE);
      expect(connections.ever).toBe(ever);
    }
  });

  it("are not reused after unexpected data, which would be the response to another event", async () => {
    let idle: Socket | undefined;
    const { url, connections } = await rawServer((socket, nth) => {
      socket.write(nth === 1 ? OK : head("500 No", "content-length: 0"));
      idle ??= socket;
    });
    const destination = destinationAt(url, { concurrency: 1 });
    expect(await destination.post()).toEqual(DONE);
    idle!.write(OK);
    // It closes at once and not after the idle time.
    await eventually(() => connections.now === 0, 3500);
    expect(await destination.post()).toEqual(status(500));
  });

  it("fail the attempt when the server closes them during a request, without another try", async () => {
    const { url, requests, connections } = await rawServer((socket, nth) => {
      if (nth === 1) {
        socket.write(OK);
      } else {
        socket.resetAndDestroy();
      }
    });
    const destination = destinationAt(url, { concurrency: 1 });
    expect(await destination.post()).toEqual(DONE);
    expect(await destination.post()).toEqual(network("ECONNRESET"));
    expect([requests.count, connections.ever]).toEqual([2, 1]);
  });

  it("are replaced when the server closes them while they are idle", async () => {
    let idle: Socket | undefined;
    const { url, connections } = await rawServer((socket) => {
      socket.write(OK);
      idle = socket;
    });
    const destination = destinationAt(url, { concurrency: 1 });
    for (const end of ["destroy", "resetAndDestroy"] as const) {
      expect(await destination.post()).toEqual(DONE);
      idle![end]();
      await eventually(() => connections.now === 0);
    }
    expect(await destination.post()).toEqual(DONE);
    expect(connections.ever).toBe(3);
  });

  it("are closed by close(), which also ends the attempts in flight", async () => {
    const { seen, url, connections } = await httpServer((res, attempt) => {
      if (attempt === 1) {
        res.end();
      }
    });
    const destination = destinationAt(url);
    await destination.post();
    const hanging = destination.post();
    await eventually(() => seen.length === 2);
    destination.close();
    expect(await hanging).toEqual(network("ECONNRESET"));
    await eventually(() => connections.now === 0);
  });
});

describe("https", () => {
  it("fails with a code for an untrusted certificate, and sends nothing", async () => {
    const requests: string[] = [];
    const server = createHttpsServer(selfSigned("hook.test"), (req, res) => {
      requests.push(req.url ?? "");
      res.end();
    });
    const { port, connections } = await listen(server);
    expect(await attemptAt(`https://127.0.0.1:${port}/`)).toEqual(
      network("DEPTH_ZERO_SELF_SIGNED_CERT"),
    );
    const named = resolver(["127.0.0.1"]);
    expect(await attemptAt(`https://hook.test:${port}/`, named)).toEqual(
      network("DEPTH_ZERO_SELF_SIGNED_CERT"),
    );
    expect(requests).toEqual([]);
    await eventually(() => connections.now === 0);
  });

  it("fails at a server that speaks plain HTTP, as http does at one that speaks TLS", async () => {
    const plain = await httpServer((res) => res.end());
    expect(await attemptAt(`https://127.0.0.1:${plain.port}/`)).toMatchObject(
      network(expect.stringMatching(/^(EPROTO|ERR_SSL_\w+)$/)),
    );
    const tls = await listen(createHttpsServer(selfSigned("hook.test")));
    expect(await attemptAt(`http://127.0.0.1:${tls.port}/`)).toMatchObject({
      ok: false,
    });
    expect(plain.seen).toHaveLength(0);
  });

  it("ends the attempt by its signal when the handshake does not end", async () => {
    const { port, connections } = await listen(
      createTcpServer((socket) => socket.resume()),
    );
    const abort = new AbortController();
    const destination = destinationAt(`https://127.0.0.1:${port}/`);
    const attempt = destination.post(abort.signal);
    await eventually(() => connections.now === 1);
    abort.abort();
    expect(await attempt).toEqual(TIMEOUT);
    await eventually(() => connections.now === 0);
  });

  it("forbids the addresses that http forbids", async () => {
    const forbidden = {
      ok: false,
      reason: "address_refused",
      detail: "metadata",
    };
    expect(await attemptAt("https://169.254.169.254/")).toEqual(forbidden);
    const { lookup } = resolver(["169.254.169.254"]);
    expect(await attemptAt("https://hook.test/", { lookup })).toEqual(
      forbidden,
    );
  });
});

describe("an address", () => {
  const always: [string, string][] = [
    ["metadata", "169.254.169.254"],
    ["metadata", "100.100.100.200"],
    ["metadata", "168.63.129.16"],
    ["metadata", "192.0.0.192"],
    ["metadata", "fd00:ec2::254"],
    ["metadata", "fd00:ec2::23"],
    ["metadata", "fd20:ce::254"],
    ["link-local", "169.254.0.0"],
    ["link-local", "169.254.170.2"],
    ["link-local", "169.254.255.255"],
    ["link-local", "fe80::"],
    ["link-local", "fe80::1%eth0"],
    ["link-local", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
    ["multicast", "224.0.0.1"],
    ["multicast", "239.255.255.255"],
    ["multicast", "ff02::1"],
    ["broadcast", "255.255.255.255"],
    // IPv4 inside IPv6, in every standard position.
    ["metadata", "::ffff:169.254.169.254"],
    ["metadata", "::ffff:a9fe:a9fe"],
    ["metadata", "0:0:0:0:0:FFFF:A9FE:A9FE"],
    ["metadata", "::ffff:0:169.254.169.254"],
    ["metadata", "::169.254.169.254"],
    ["metadata", "64:ff9b::169.254.169.254"],
    ["metadata", "64:ff9b:1::169.254.169.254"],
    ["metadata", "64:ff9b:1:fffe::169.254.169.254"],
    ["metadata", "2002:a9fe:a9fe::1"],
    ["metadata", "64:ff9b:1:a9fe:a9:fe00::"],
    ["metadata", "64:ff9b:1:ffa9:fe:a9fe::"],
    ["metadata", "64:ff9b:1:ffff:a9:fea9:fe00:0"],
    ["metadata", "2606:4700::5efe:169.254.169.254"],
    ["metadata", "2606:4700::200:5efe:169.254.169.254"],
    ["reserved", "2001::1"],
    ["reserved", "2001:0:a9fe:a9fe:8000:63bf:5601:5601"],
    ["reserved", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff"],
    ["link-local", "FE80:0:0:0:0:0:0:1%25eth0"],
    ["link-local", "64:ff9b::a9fe:1"],
    ["link-local", "2002:a9fe:1::"],
    ["multicast", "::ffff:224.0.0.1"],
  ];
  const private_: [string, string][] = [
    ["loopback", "127.0.0.1"],
    ["loopback", "127.255.255.255"],
    ["loopback", "::1"],
    ["loopback", "::ffff:127.0.0.1"],
    ["loopback", "64:ff9b::7f00:1"],
    ["private", "10.0.0.0"],
    ["private", "10.255.255.255"],
    ["private", "172.16.0.0"],
    ["private", "172.31.255.255"],
    ["private", "192.168.0.1"],
    ["private", "fc00::"],
    ["private", "fdff:ffff::1"],
    ["private", "fec0::1"],
    ["private", "feff::1"],
    ["private", "::10.0.0.1"],
    ["private", "2002:c0a8:1::"],
    ["shared", "100.64.0.0"],
    ["shared", "100.127.255.255"],
    ["unspecified", "0.0.0.0"],
    ["unspecified", "0.255.255.255"],
    ["unspecified", "::"],
    ["unspecified", "::ffff:0.0.0.0"],
    ["reserved", "192.0.0.1"],
    ["reserved", "198.18.0.1"],
    ["reserved", "198.19.255.255"],
    ["reserved", "240.0.0.1"],
    ["reserved", "255.255.255.254"],
  ];
  const allowed = [
    ...["1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255"],
    ...["100.128.0.0", "126.255.255.255", "128.0.0.0", "168.63.129.15"],
    ...["169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0"],
    ...["192.0.1.0", "192.167.255.255", "192.169.0.0", "198.17.255.255"],
    ...["198.20.0.0", "223.255.255.255", "2606:4700::1111", "fbff::1"],
    ...["fe00::1", "64:ff9b::1.1.1.1", "64:ff9b:1::1.1.1.1", "2002:101:101::"],
    ...["::ffff:1.1.1.1", "64:ff9b:2::a9fe:a9fe", "2003:a9fe:a9fe::"],
    ...["2606:4700::a9fe:a9fe", "2606:4700::5eff:a9fe:a9fe"],
    ...["2001:1::a9fe:a9fe", "2001:4860:4860::8888"],
  ];

  const kindOf = (address: string, allowPrivate: boolean): Promise<unknown> =>
    lookedUp([address], { allowPrivate }).then(
      () => null,
      (error: unknown) => (error as { kind?: unknown }).kind,
    );

  it.each(always)(
    "of the kind %s is always forbidden: %s",
    async (kind, address) => {
      expect(await kindOf(address, false)).toBe(kind);
      expect(await kindOf(address, true)).toBe(kind);
    },
  );

  it.each(private_)(
    "of the kind %s is forbidden unless private addresses are allowed: %s",
    async (kind, address) => {
      expect(await kindOf(address, false)).toBe(kind);
      expect(await kindOf(address, true)).toBeNull();
    },
  );

  it.each(allowed)("on the internet is allowed: %s", async (address) => {
    expect(await kindOf(address, false)).toBeNull();
    expect(await kindOf(address, true)).toBeNull();
  });

  it.each([
    ["http://169.254.169.254/latest/meta-data", "metadata"],
    ["http://0xa9fea9fe/", "metadata"],
    ["http://0xA9.0xFE.0xA9.0xFE/", "metadata"],
    ["http://2852039166/", "metadata"],
    ["http://169.254.43518/", "metadata"],
    ["http://0251.0376.0251.0376/", "metadata"],
    ["http://169.254.169.254./", "metadata"],
    ["http://0xa9.254.43518/", "metadata"],
    ["http://0251.0xfe.169.254./", "metadata"],
    ["http://[2002:A9FE:A9FE::1]/", "metadata"],
    ["http://[2001:0:A9FE:A9FE::1]/", "reserved"],
    ["http://[FE80::A9FE:A9FE]/", "link-local"],
    ["http://%31%36%39.254.169.254/", "metadata"],
    ["http://１６９。２５４。１６９。２５４/", "metadata"],
    ["http://[::ffff:169.254.169.254]/", "metadata"],
    ["http://[::FFFF:A9FE:A9FE]:8080/", "metadata"],
    ["http://[0:0:0:0:0:0:169.254.169.254]/", "metadata"],
    ["http://[64:ff9b::169.254.169.254]/", "metadata"],
    ["https://[fd00:0ec2:0::254]/", "metadata"],
    ["http://[fe80::1]/", "link-local"],
    ["https://224.0.0.1/", "multicast"],
    ["http://user:geheim@169.254.1.1/", "link-local"],
  ])("written as the host %s is always forbidden", async (url, kind) => {
    expect(forbiddenLiteral(url)).toBe(kind);
    expect(await attemptAt(url)).toEqual({
      ok: false,
      reason: "address_refused",
      detail: kind,
    });
  });

  it.each([
    ["http://127.1/", "loopback"],
    ["http://[::1]/", "loopback"],
    ["http://0/", "unspecified"],
    ["http://[::]/", "unspecified"],
    ["http://0x0a000001/", "private"],
    ["http://[fd12::1]/", "private"],
  ])(
    "written as the host %s is forbidden unless private addresses are allowed",
    async (url, kind) => {
      expect(forbiddenLiteral(url)).toBeNull();
      expect(forbiddenHost(new URL(url), { allowPrivate: true })).toBeNull();
      expect(await attemptAt(url, { allowPrivate: false })).toEqual({
        ok: false,
        reason: "address_refused",
        detail: kind,
      });
    },
  );

  it.each([
    "https://hook.test/",
    "http://1.1.1.1/",
    "http://169.254.test/",
    "no url",
  ])("that is always forbidden is not the host of %s", (url) => {
    expect(forbiddenLiteral(url)).toBeNull();
  });
});

/** Returns the result of a guarded look-up of a name with these addresses. */
function lookedUp(
  addresses: readonly string[],
  options: { allowPrivate: boolean; all?: boolean },
): Promise<unknown> {
  const { lookup } = resolver(addresses);
  const { all = true, allowPrivate } = options;
  return new Promise((resolve, reject) => {
    const guarded = createGuardedLookup(lookup, { allowPrivate });
    guarded("hook.test", { all }, (error, ...found) => {
      if (error === null) {
        resolve(found);
      } else {
        reject(error);
      }
    });
  });
}

describe("a name", () => {
  const forbidden = (detail: string): AttemptResult => ({
    ok: false,
    reason: "address_refused",
    detail,
  });

  it("with a forbidden address fails before any connection is made", async () => {
    const { port, connections } = await httpServer((res) => res.end());
    const url = `http://hook.test:${port}/`;
    const at = (addresses: string[], allowPrivate = true) =>
      attemptAt(url, { ...resolver(addresses), allowPrivate });
    expect(await at(["127.0.0.1"], false)).toEqual(forbidden("loopback"));
    expect(await at(["169.254.169.254"])).toEqual(forbidden("metadata"));
    expect(await at(["fe80::1%eth0", "169.254.1.1"])).toEqual(
      forbidden("link-local"),
    );
    expect(await at(["::ffff:169.254.169.254"])).toEqual(forbidden("metadata"));
    expect(connections.ever).toBe(0);
  });

  it("with forbidden and allowed addresses is reached at the allowed ones", async () => {
    const { port, connections } = await httpServer((res) => res.end());
    const mixed = resolver(["169.254.169.254", "fe80::1", "127.0.0.1"]);
    expect(await attemptAt(`http://hook.test:${port}/`, mixed)).toEqual(DONE);
    expect(connections.ever).toBe(1);
    expect(
      await lookedUp(["10.0.0.1", "1.1.1.1", "::1", "2606:4700::1111"], {
        allowPrivate: false,
      }),
    ).toEqual([
      [
        { address: "1.1.1.1", family: 4 },
        { address: "2606:4700::1111", family: 6 },
      ],
    ]);
  });

  it("yields one allowed address to a caller that wants a single one", async () => {
    const one = { allowPrivate: false, all: false };
    expect(await lookedUp(["10.0.0.1", "1.1.1.1"], one)).toEqual([
      "1.1.1.1",
      4,
    ]);
    expect(await lookedUp(["2606:4700::1111"], one)).toEqual([
      "2606:4700::1111",
      6,
    ]);
    await expect(lookedUp(["10.0.0.1"], one)).rejects.toMatchObject({
      kind: "private",
    });
    await expect(lookedUp([], one)).rejects.toMatchObject({
      code: "ENOTFOUND",
    });
  });

  it("is judged the same when the resolver synchronously returns one address", async () => {
    const { port } = await httpServer((res) => res.end());
    const giving = (address: string): { lookup: LookupFunction } => ({
      lookup: (_name, _options, callback) => {
        callback(null, address, 4);
      },
    });
    const url = `http://hook.test:${port}/`;
    expect(await attemptAt(url, giving("127.0.0.1"))).toEqual(DONE);
    expect(await attemptAt(url, giving("169.254.169.254"))).toEqual(
      forbidden("metadata"),
    );
    // There is no route to it, which the system reports at once.
    expect(await attemptAt(url, giving("255.255.255.255"))).toEqual(
      forbidden("broadcast"),
    );
  });

  it("that changes its address (DNS rebinding) is judged at each connection, which goes to the judged address", async () => {
    const { port, connections } = await httpServer((res) => {
      res.writeHead(200, { connection: "close" }).end();
    });
    const rebound = resolver(["127.0.0.1"], ["169.254.169.254"]);
    const destination = destinationAt(`http://hook.test:${port}/`, rebound);
    expect(await destination.post()).toEqual(DONE);
    expect(rebound.asked).toEqual(["hook.test"]);
    expect(await destination.post()).toEqual(forbidden("metadata"));
    expect(rebound.asked).toEqual(["hook.test", "hook.test"]);
    expect(connections.ever).toBe(1);
  });

  it("is looked up once for simultaneous callers, and again afterwards", async () => {
    const { asked, lookup } = resolver(["1.1.1.1"], []);
    const shared = createSharedLookup(lookup);
    const ask = (): Promise<string> =>
      new Promise((resolve) => {
        shared("hook.test", { all: false }, (error, address) => {
          resolve(
            error === null ? JSON.stringify(address) : networkFault(error),
          );
        });
      });
    expect(await Promise.all([ask(), ask(), ask()])).toEqual(
      Array(3).fill('"1.1.1.1"'),
    );
    expect(asked).toHaveLength(1);
    expect(await ask()).toBe("ENOTFOUND");
    expect(asked).toHaveLength(2);
  });
});

describe("the text of a network error", () => {
  it.each<[string, unknown, string]>([
    ["with a code", coded("ECONNRESET"), "ECONNRESET"],
    [
      "whose cause has a code",
      new Error("fetch failed", { cause: coded("ENOTFOUND") }),
      "ENOTFOUND",
    ],
    ["whose cause has none", new Error("x", { cause: new Error("y") }), "y"],
    ["with a message", new Error("said"), "said"],
    ["without a message", new Error(""), "unknown fault"],
    [
      "of several errors without a message",
      new AggregateError([]),
      "unknown fault",
    ],
    ["without an error", undefined, "unknown error"],
  ])("%s is never empty", (_what, thrown, words) => {
    expect(networkFault(thrown)).toBe(words);
  });
});
