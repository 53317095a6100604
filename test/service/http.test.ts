import { beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { once } from "node:events";
import { createServer, IncomingMessage, request } from "node:http";
import { type AddressInfo, connect } from "node:net";
import path from "node:path";
import supertest from "supertest";
import { createExpressApp } from "../../src/http/express-app.ts";
import { AppError } from "../../src/errors.ts";
import { createAdmission } from "../../src/http/public/admission.ts";
import { canonicalAddress } from "../../src/domain/ip-address.ts";
import { createMemoryPool } from "../../src/http/connection/memory-pool.ts";
import { createScheduler } from "../../src/http/connection/scheduler.ts";
import {
  isIdentityEncoding,
  isJsonMediaType,
} from "../../src/domain/media-type.ts";
import { eventBody, signed } from "../support/fixtures.ts";
import { eventually } from "../support/eventually.ts";
import { exchangeRaw } from "../support/exchange-raw.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { freePort } from "../support/processes.ts";
import { openFile, readColumn } from "../support/store-file.ts";

/** The service of the current describe block; see `useService`. */
let folder: ReturnType<typeof temporaryFolder>;
let service: TestService;
let before: { entries: number; events: number };

/**
 * Starts a service that the tests of a describe block share. Each block has its own, so that its requests stay within the
 * limit of audit entries of one address.
 */
function useService(): void {
  beforeAll(async () => {
    folder = temporaryFolder();
    service = await startTestService(folder.path, {
      env: { MAX_BODY_BYTES: "2000" },
      deps: {
        limits: {
          headersTimeout: 300,
          requestTimeout: 600,
          checkingInterval: 50,
        },
      },
    });
  });

  beforeEach(async () => {
    const entries = (await service.entries()).length;
    before = { entries, events: countEvents() };
  });
}

function countEvents(): number {
  const file = path.join(folder.path, "hexhook.db");
  return readColumn(file, "SELECT count(*) FROM event")[0] as number;
}

/** Returns the number of events stored during this test. */
const storedEvents = (): number => countEvents() - before.events;

/** Returns the audit entries written during this test. */
const newEntries = async () => (await service.entries()).slice(before.entries);

/** Returns the http.rejected entry of this test's request. */
async function rejection() {
  return eventually(async () =>
    (await newEntries()).find(({ action }) => action === "http.rejected"),
  );
}

/** Returns the bytes of a genuine delivery with the given head. */
function rawDelivery(
  options: {
    target?: string;
    version?: string;
    host?: string | null;
    extra?: readonly string[];
    length?: string | null;
    body?: Buffer;
  } = {},
): Buffer {
  const body = options.body ?? eventBody("evt_raw");
  const {
    target = "/webhooks/hex",
    version = "HTTP/1.1",
    host = "h",
  } = options;
  const length =
    options.length === undefined
      ? `content-length: ${body.length}`
      : options.length;
  const lines = [
    `POST ${target} ${version}`,
    ...(host === null ? [] : [`host: ${host}`]),
    ...Object.entries(signed(body)).map(([name, value]) => `${name}: ${value}`),
    ...(length === null ? [] : [length]),
    ...(options.extra ?? []),
    "",
    "",
  ];
  return Buffer.concat([Buffer.from(lines.join("\r\n"), "latin1"), body]);
}

/** Returns the complete responses in the text of a connection. */
function responsesIn(text: string): { status: number; code: unknown }[] {
  return [
    ...text.matchAll(
      /HTTP\/1\.1 (\d{3}) [^\r]*\r\n(?:[^\r]+\r\n)*\r\n(\{.*?\})/gs,
    ),
  ].map(([, status, body]) => ({
    status: Number(status),
    code: (JSON.parse(body ?? "{}") as { code?: unknown }).code,
  }));
}

const gotOne = (text: string): boolean => responsesIn(text).length >= 1;

describe("paths and methods", () => {
  useService();

  it.each([
    "/",
    "/webhooks",
    "/webhooks/",
    "/webhooks/other",
    "/webhooks/hex/",
    "/Webhooks/hex",
    "/webhooks/HEX",
    "/webhooks/%68ex",
    "/webhooks/hex%2f",
    "/webhooks/hex%00",
    "/webhooks/..%2fwebhooks%2fhex",
    "/webhooks/__proto__",
    "/webhooks/constructor",
    "/webhooks//hex",
    "//webhooks/hex",
    "/webhooks/hex;a=b",
    "/%",
    "/metrics",
    "/api/events",
  ])("responds 404 to every request for %s", async (target) => {
    const [answer] = responsesIn(
      await exchangeRaw(service.port, rawDelivery({ target }), gotOne),
    );

    expect(answer).toEqual({ status: 404, code: "not_found" });
    expect(storedEvents()).toBe(0);
    expect(await rejection()).toMatchObject({
      userId: "anonymous",
      resource: target,
      result: "failure",
      metadata: { status: 404, method: "POST", ip: "127.0.0.1" },
    });
  });

  it("ignores the query of the path, and keeps it out of the audit trail", async () => {
    const body = eventBody("evt_q");
    const target = "/webhooks/hex?token=geheim";
    expect((await service.post(body, signed(body), target)).status).toBe(200);
    await service.post(body, signed(body), "/nowhere?token=geheim");
    expect(JSON.stringify(await service.entries())).not.toContain("geheim");
    expect(await rejection()).toMatchObject({ resource: "/nowhere" });
  });

  it.each(["GET", "PUT", "DELETE", "OPTIONS", "PATCH"])(
    "rejects %s on the endpoint with 405 and Allow: POST",
    async (method) => {
      const answer = await service.request("/webhooks/hex", { method });

      expect(answer).toMatchObject({
        status: 405,
        json: { status: 405, code: "method_not_allowed" },
      });
      expect(answer.headers.get("allow")).toBe("POST");
      expect(await rejection()).toMatchObject({
        resource: "/webhooks/hex",
        metadata: { status: 405, method },
      });
    },
  );

  it("rejects HEAD on the endpoint with 405 without a body", async () => {
    const answer = await supertest(service.url).head("/webhooks/hex");
    expect(answer.status).toBe(405);
    expect(answer.headers["allow"]).toBe("POST");
  });
});

describe("media type and encoding", () => {
  useService();

  it.each([
    ["text/plain", {}],
    ["application/x-www-form-urlencoded", {}],
    ["application/json; charset=utf-16", {}],
    ["application/jsonp", {}],
    ["", {}],
    ["application/json", { "content-encoding": "gzip" }],
    ["application/json", { "content-encoding": "identity, identity" }],
  ])(
    "rejects the content type %j with the headers %j with 415",
    async (contentType, more) => {
      const body = eventBody("evt_m");
      const headers = { ...signed(body), "content-type": contentType, ...more };

      const answer = await service.post(body, headers);

      expect(answer).toMatchObject({
        status: 415,
        json: { code: "unsupported_media_type" },
      });
      expect(storedEvents()).toBe(0);
      expect(await rejection()).toMatchObject({ metadata: { status: 415 } });
    },
  );

  it.each([
    ["application/json", true],
    ["APPLICATION/JSON", true],
    ["application/json; charset=utf-8", true],
    ["application/json; charset=utf8", true],
    ['application/json; charset="UTF8"', true],
    ["application/json; charset=utf_8", false],
    ['application/json;charset="UTF-8"', true],
    ["application/cloudevents+json", true],
    ["application/json; charset=utf-8; charset=latin1", false],
    ["application/+json", false],
    ["application/json+x", false],
    ["text/json", false],
    [undefined, false],
  ])("recognises %j as JSON: %s", (contentType, is) => {
    expect(isJsonMediaType(contentType)).toBe(is);
  });

  it("accepts the encoding identity, in any case", () => {
    expect([undefined, "identity", "Identity"].every(isIdentityEncoding)).toBe(
      true,
    );
    expect(isIdentityEncoding("br")).toBe(false);
  });
});

describe("bodies over the limit", () => {
  useService();

  it("get 413 by their declared length, before any of their bytes is sent, and the connection closes", async () => {
    const head =
      "POST /webhooks/hex HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ncontent-length: 2001\r\n\r\n";

    // Ends only when the service closes the connection.
    const text = await exchangeRaw(service.port, head);

    expect(responsesIn(text)).toEqual([
      { status: 413, code: "payload_too_large" },
    ]);
    expect(text.toLowerCase()).toContain("connection: close");
    expect(await rejection()).toMatchObject({ metadata: { status: 413 } });
  });

  it("get no 100 Continue", async () => {
    const text = await exchangeRaw(
      service.port,
      "POST /webhooks/hex HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: 2001\r\n\r\n",
    );
    expect(text).toMatch(/^HTTP\/1\.1 413 /);
  });

  it("get 413 at the chunk that exceeds the limit, while the sender is still sending", async () => {
    const head =
      "POST /webhooks/hex HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    const chunk = `3e8\r\n${"x".repeat(1000)}\r\n`;

    const text = await exchangeRaw(service.port, [
      head,
      chunk,
      chunk,
      "1\r\nx\r\n",
    ]);

    expect(responsesIn(text)).toEqual([
      { status: 413, code: "payload_too_large" },
    ]);
    expect(storedEvents()).toBe(0);
  });

  it("get a response that reaches a sender which does not stop sending", async () => {
    const socket = connect(service.port, "127.0.0.1");
    socket.write(
      "POST /webhooks/hex HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ncontent-length: 500000000\r\n\r\n",
    );
    const block = Buffer.alloc(65_536, "x");
    let text = "";
    const pump = (): void => {
      while (socket.writable && socket.write(block)) {
        // Writes until the kernel accepts no more.
      }
    };
    socket.on("drain", pump);
    socket.on("data", (data) => {
      text += data.toString("latin1");
    });
    socket.on("error", () => undefined);
    // Not once(), which would reject at the reset that ends the flood.
    const closed = new Promise((resolve) => socket.on("close", resolve));
    pump();
    await closed;

    expect(responsesIn(text)).toEqual([
      { status: 413, code: "payload_too_large" },
    ]);
  });

  it("are accepted at exactly the limit", async () => {
    const pad = 2000 - Buffer.byteLength('{"id":"e","type":"t","p":""}');
    const body = Buffer.from(`{"id":"e","type":"t","p":"${"x".repeat(pad)}"}`);
    expect(body.length).toBe(2000);
    expect((await service.post(body)).status).toBe(200);
  });
});

describe("framing", () => {
  useService();

  const body = eventBody("evt_raw");
  const chunked = (
    coding: string,
  ): Partial<Parameters<typeof rawDelivery>[0]> => ({
    length: `transfer-encoding: ${coding}`,
    body: Buffer.from(
      `${body.length.toString(16)}\r\n${body.toString()}\r\n0\r\n\r\n`,
    ),
  });
  const signature = signed(body)["x-hex-signature"] ?? "";

  it.each([
    ["two Host headers", rawDelivery({ extra: ["host: other"] })],
    ["no Host header", rawDelivery({ host: null })],
    [
      "two signatures",
      rawDelivery({ extra: [`x-hex-signature: ${signature}`] }),
    ],
    [
      "two timestamps in different spellings",
      rawDelivery({ extra: ["X-HEX-TIMESTAMP: 1"] }),
    ],
    [
      "two content types",
      rawDelivery({ extra: ["content-type: application/json"] }),
    ],
    [
      "two equal lengths",
      rawDelivery({ extra: [`content-length: ${body.length}`] }),
    ],
    ["two transfer codings", rawDelivery(chunked("gzip, chunked"))],
    ["an unknown transfer coding", rawDelivery(chunked("identity"))],
    [
      "a length and a transfer coding",
      rawDelivery({ extra: ["transfer-encoding: chunked"] }),
    ],
    [
      "chunks on HTTP/1.0",
      rawDelivery({ ...chunked("chunked"), version: "HTTP/1.0" }),
    ],
    ["HTTP/2.0 in the request line", rawDelivery({ version: "HTTP/2.0" })],
    ["an absolute target", rawDelivery({ target: "http://h/webhooks/hex" })],
    ["a target without a slash", rawDelivery({ target: "*" })],
    ["an unknown expectation", rawDelivery({ extra: ["expect: 200-maybe"] })],
    [
      "a length that is not a number",
      rawDelivery({ length: "content-length: 1e3" }),
    ],
    ["a negative length", rawDelivery({ length: "content-length: -1" })],
    ["a header without a colon", rawDelivery({ extra: ["nonsense"] })],
    ["a space before the colon", rawDelivery({ extra: ["x-a : b"] })],
    ["nonsense", Buffer.from("\u0016\u0003\u0001 hello\r\n\r\n")],
    [
      "a bad chunk size",
      Buffer.concat([
        rawDelivery({
          length: "transfer-encoding: chunked",
          body: Buffer.from("zz\r\n"),
        }),
      ]),
    ],
  ])("rejects %s with 400 and stores nothing", async (_what, bytes) => {
    const text = await exchangeRaw(service.port, bytes, gotOne);

    expect(responsesIn(text)).toEqual([{ status: 400, code: "bad_request" }]);
    expect(text).toContain("application/problem+json");
    expect(storedEvents()).toBe(0);
    expect(await rejection()).toMatchObject({
      action: "http.rejected",
      metadata: { status: 400 },
    });
  });

  it("accepts valid chunks, and a body after 100 Continue", async () => {
    const genuine = eventBody("evt_chunks");
    const chunks = await new Promise<number | undefined>((resolve, reject) => {
      const req = request(
        `${service.url}/webhooks/hex`,
        {
          method: "POST",
          headers: { ...signed(genuine), expect: "100-continue" },
        },
        (res) => {
          res.resume();
          resolve(res.statusCode);
        },
      );
      req.on("error", reject);
      req.on("continue", () => {
        req.write(genuine.subarray(0, 10));
        req.end(genuine.subarray(10));
      });
      req.flushHeaders();
    });
    expect(chunks).toBe(200);
  });

  it("accepts HTTP/1.0 with a length", async () => {
    const text = await exchangeRaw(
      service.port,
      rawDelivery({
        version: "HTTP/1.0",
        host: null,
        body: eventBody("evt_1_0"),
      }),
    );
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
  });

  it("responds to a valid request first, then 400 to the invalid bytes after it, and closes", async () => {
    const text = await exchangeRaw(
      service.port,
      Buffer.concat([
        rawDelivery({ body: eventBody("evt_breaks") }),
        Buffer.from("nonsense\r\n\r\n"),
      ]),
    );
    expect(responsesIn(text).map(({ status }) => status)).toEqual([200, 400]);
  });

  it("responds to each of several requests in one packet", async () => {
    const text = await exchangeRaw(
      service.port,
      Buffer.concat([
        rawDelivery({ body: eventBody("evt_p1") }),
        rawDelivery({ body: eventBody("evt_p2") }),
      ]),
      (so) => responsesIn(so).length >= 2,
    );
    expect(responsesIn(text).map(({ status }) => status)).toEqual([200, 200]);
    expect(storedEvents()).toBe(2);
  });
});

describe("header blocks", () => {
  useService();

  it.each([
    ["that are too large", [`x-large: ${"x".repeat(20_000)}`]],
    ["with too many lines", Array.from({ length: 101 }, (_, n) => `x-${n}: 1`)],
    [
      "with more lines than Node keeps",
      Array.from({ length: 1500 }, () => "a: 1"),
    ],
  ])("%s get 431", async (_what, extra) => {
    const text = await exchangeRaw(
      service.port,
      rawDelivery({ extra }),
      gotOne,
    );
    expect(responsesIn(text)).toEqual([
      { status: 431, code: "headers_too_large" },
    ]);
    expect(storedEvents()).toBe(0);
    expect(await rejection()).toMatchObject({ metadata: { status: 431 } });
  });
});

describe("senders that are too slow", () => {
  useService();

  it("get 408 for slow headers", async () => {
    const text = await exchangeRaw(
      service.port,
      "POST /webhooks/hex HTTP/1.1\r\nhost: h\r\n",
    );
    expect(responsesIn(text)).toEqual([
      { status: 408, code: "request_timeout" },
    ]);
    expect(await rejection()).toMatchObject({ metadata: { status: 408 } });
  });

  it("get 408 for a slow body, with an audit entry that names the endpoint", async () => {
    const text = await exchangeRaw(
      service.port,
      "POST /webhooks/hex HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{",
    );
    expect(responsesIn(text)).toEqual([
      { status: 408, code: "request_timeout" },
    ]);
    expect(await rejection()).toMatchObject({
      resource: "/webhooks/hex",
      metadata: { status: 408, reason: "request_timeout" },
    });
  });

  it("get no response and no audit entry if they send nothing", async () => {
    const text = await exchangeRaw(service.port, "");
    expect(text).toBe("");
    expect(await newEntries()).toEqual([]);
  });
});

describe("overload", () => {
  const full = expect.objectContaining({ code: "unavailable" });

  /** A clock that stands still unless it is moved. */
  const createClock = () => {
    const clock = { ms: 0, now: () => clock.ms };
    return clock;
  };
  const createTestAdmission = (
    options: Parameters<typeof createAdmission>[1],
  ) => {
    const { now } = createClock();
    return createAdmission({ scheduler: createScheduler(now), now }, options);
  };

  it("is prevented by a memory limit, separately for small and for large bodies", () => {
    const admission = createTestAdmission({
      maxBytes: 100_000,
      maxWaiting: 1,
    });
    const [one, other, small] = ["a", "b", "c"].map(admission.hold);
    one!.resize(60_000);
    one!.resize(70_000);
    other!.resize(20_000);
    expect(() => {
      other!.resize(70_000);
    }).toThrow(full);
    small!.resize(60_000);
    one!.resize(0);
    other!.resize(100_000);
    expect(() => {
      other!.resize(100_001);
    }).toThrow(full);
  });

  it("evicts the oldest holding of the network that uses the most memory", () => {
    const clock = createClock();
    const pool = createMemoryPool({ maxBytes: 100, now: clock.now });
    const evicted: string[] = [];
    const hold = (name: string, address: string, bytes: number) => {
      const holding = pool.hold(address);
      holding.onEvict = () => evicted.push(name);
      holding.resize(bytes);
      return holding;
    };
    hold("genuine", "192.0.2.1", 30);
    const complete = hold("complete", "2001:db8::1", 10);
    complete.onEvict = null;
    hold("first", "2001:db8::2", 20);
    hold("second", "2001:db8::3", 30);
    // The same network uses the most memory, and its oldest holding is too new to be evicted for it.
    expect(() => hold("too early", "2001:db8::4", 20)).toThrow(full);
    hold("other", "192.0.2.2", 20);
    expect(evicted).toEqual(["first"]);
    clock.ms = 1000;
    hold("late", "2001:db8::5", 20);
    expect(evicted).toEqual(["first", "second"]);
    // Larger than the pool.
    expect(() => hold("too large", "192.0.2.3", 101)).toThrow(full);
    expect(complete.onEvict).toBeNull();
  });

  it("rejects work while too many requests wait, and accepts it again afterwards", async () => {
    const admission = createTestAdmission({ maxBytes: 1, maxWaiting: 1 });
    let finish: () => void = () => undefined;
    const first = admission.work(
      1,
      () =>
        new Promise<void>((resolve) => {
          finish = resolve;
        }),
    );
    await expect(admission.work(1, async () => 1)).rejects.toEqual(full);
    finish();
    await first;
    expect(await admission.work(1, async () => 2)).toBe(2);
  });

  it("is not caused by connections that announce the largest bodies and send nothing", async () => {
    const place = temporaryFolder();
    const roomy = await startTestService(place.path, {
      env: { MAX_BODY_BYTES: "26214400", SHUTDOWN_SECONDS: "1" },
    });
    const idle = Array.from({ length: 300 }, () => {
      const socket = connect(roomy.port, "127.0.0.1");
      socket.on("error", () => undefined);
      socket.write(
        "POST /webhooks/hex HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
      );
      return socket;
    });
    await Promise.all(idle.map((socket) => once(socket, "connect")));
    expect((await roomy.post(eventBody("evt_idle"))).status).toBe(200);
    for (const socket of idle) {
      socket.destroy();
    }
    await roomy.stop();
  });

  it("rejects a body as unavailable, and stops reading it, if the memory pool has no room for it", async () => {
    const { readBody } = await import("../../src/http/read-body.ts");
    const { PassThrough } = await import("node:stream");
    const req = Object.assign(new PassThrough(), { headers: {} });
    const read = readBody({ req: req as never, abortBody: null }, 1000, {
      resize: () => {
        throw new AppError("unavailable", "overloaded");
      },
      onEvict: null,
    });
    req.write("x");
    await expect(read).rejects.toEqual(full);
    expect(req.isPaused()).toBe(true);
  });
});

describe("CONNECT", () => {
  useService();

  it("gets 400, and a reset after it does not end the process", async () => {
    const text = await exchangeRaw(
      service.port,
      "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
    );
    expect(responsesIn(text)).toEqual([{ status: 400, code: "bad_request" }]);
    await Promise.all(
      Array.from(
        { length: 50 },
        () =>
          new Promise((resolve) => {
            const socket = connect(service.port, "127.0.0.1", () => {
              socket.write("CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", () =>
                socket.resetAndDestroy(),
              );
            });
            socket.on("close", resolve);
          }),
      ),
    );
    expect((await service.request("/livez")).status).toBe(200);
  });
});

describe("health", () => {
  useService();

  it("is live and ready, only for GET and HEAD, without an audit entry", async () => {
    expect((await service.request("/livez")).json).toEqual({ status: "live" });
    const ready = await service.request("/readyz");
    expect(ready).toMatchObject({ status: 200, json: { status: "ready" } });
    expect(ready.headers.get("cache-control")).toBe("no-store");
    await supertest(service.url).head("/readyz").expect(200);
    expect(await newEntries()).toEqual([]);

    const flood = await exchangeRaw(
      service.port,
      "GET /livez HTTP/1.1\r\nhost: h\r\ncontent-length: 100000\r\n\r\n",
    );
    expect(flood).toMatch(/^HTTP\/1\.1 200 /);
    expect(flood.toLowerCase()).toContain("connection: close");

    const rejected = await service.request("/readyz", { method: "POST" });
    expect(rejected.status).toBe(405);
    expect(rejected.headers.get("allow")).toBe("GET, HEAD");
  });

  it("is not ready after another process has changed the audit trail", async () => {
    const place = temporaryFolder();
    const changed = await startTestService(place.path);
    const db = openFile(path.join(place.path, "hexhook.db"));
    db.prepare<[string]>("UPDATE audit_writer SET hash = ?").run(
      "0".repeat(64),
    );
    db.close();

    // The result of the check at the start is reused for a second.
    const answer = await eventually(async () => {
      const latest = await changed.request("/readyz");
      return latest.status === 503 ? latest : null;
    });

    expect(answer.json).toMatchObject({ code: "unavailable" });
    expect(answer.headers.get("retry-after")).toBe("5");
    expect((await changed.request("/livez")).status).toBe(200);
  });
});

describe("the management listener", () => {
  it("has the health checks and no endpoint, and the public listener has none of its routes", async () => {
    const place = temporaryFolder();
    const adminPort = await freePort();
    const both = await startTestService(place.path, {
      env: { ADMIN_PORT: String(adminPort) },
    });
    const admin = supertest(`http://127.0.0.1:${both.adminPort}`);

    await admin.get("/readyz").expect(200);
    await admin.get("/livez").expect(200);
    await admin.post("/webhooks/hex").expect(404);
    const answer = await admin.get("/api/events").expect(404);
    expect(answer.body).toEqual({
      title: "Not found",
      status: 404,
      code: "not_found",
    });

    await both.stop();
  });
});

describe("the address of a sender", () => {
  useService();

  const trusting = (trust: string) =>
    startTestService(temporaryFolder().path, { env: { TRUST_PROXY: trust } });
  const claim = async (
    from: TestService,
    forwarded: string,
  ): Promise<unknown> => {
    const body = eventBody(`evt_${forwarded.slice(0, 30)}`);
    await from.post(body, { ...signed(body), "x-forwarded-for": forwarded });
    const entries = await from.entries();
    return entries.findLast(({ action }) => action === "webhook.accepted")
      ?.metadata["ip"];
  };

  it("is the address of the connection, unless a proxy is trusted", async () => {
    expect(await claim(service, "203.0.113.9")).toBe("127.0.0.1");
    expect(canonicalAddress("::ffff:192.0.2.1")).toBe("192.0.2.1");
    expect(canonicalAddress("::ffff:c000:201")).toBe("192.0.2.1");
  });

  it.each([
    ["1", "198.51.100.1, 203.0.113.9", "203.0.113.9"],
    ["127.0.0.0/8", "203.0.113.9", "203.0.113.9"],
    ["10.0.0.0/8", "203.0.113.9", "127.0.0.1"],
    ["1", "203.0.113.9:443", "203.0.113.9"],
    ["1", "[2001:db8::1]:80", "2001:db8::1"],
    ["1", "[2001:db8::1]", "2001:db8::1"],
    ["1", "203.0.113.9:443:1", "127.0.0.1"],
    ["1", "[203.0.113.9]:80", "127.0.0.1"],
    ["1", "::ffff:cb00:7109", "203.0.113.9"],
    ["2", "198.51.100.1, 203.0.113.9", "198.51.100.1"],
    // A trusted proxy may write the addresses of its peers with ports.
    ["127.0.0.1,10.0.0.0/8", "198.51.100.1:9, 10.0.0.7:4711", "198.51.100.1"],
    ["127.0.0.1,10.0.0.0/8", "198.51.100.1, nonsense, 10.0.0.7", "10.0.0.7"],
    ["1", 'no address "at all"', "127.0.0.1"],
  ])("with TRUST_PROXY=%s and %j is %s", async (trust, forwarded, ip) => {
    const proxied = await trusting(trust);
    expect(await claim(proxied, forwarded)).toBe(ip);
    await proxied.stop();
  });

  it("omits the zone of an address, which could fill the whole audit entry", async () => {
    const proxied = await trusting("1");
    const forwarded = `fe80::1%${"a".repeat(9000)}`;
    expect(await claim(proxied, forwarded)).toBe("fe80::1");
    await proxied.stop();
  });
});

describe("the Express app", () => {
  it("creates requests and responses with its own prototypes, so that Express does not change them", async () => {
    const plain = createExpressApp();
    const changes: string[] = [];
    const before = new WeakMap<object, object | null>();
    plain.app.use((req, res) => {
      for (const object of [req, res]) {
        if (Object.getPrototypeOf(object) !== before.get(object)) {
          changes.push("prototype");
        }
      }
      res.json({ path: req.path, isReq: req instanceof IncomingMessage });
    });
    const server = createServer(
      {
        IncomingMessage: plain.IncomingMessage,
        ServerResponse: plain.ServerResponse,
      },
      (req, res) => {
        before.set(req, Object.getPrototypeOf(req) as object);
        before.set(res, Object.getPrototypeOf(res) as object);
        expect(Object.getPrototypeOf(req)).toBe(plain.app.request);
        expect(Object.getPrototypeOf(res)).toBe(plain.app.response);
        plain.app(req, res);
      },
    );
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;

    const answer = await fetch(`http://127.0.0.1:${port}/x?y=1`);

    expect(await answer.json()).toEqual({ path: "/x", isReq: true });
    expect(changes).toEqual([]);
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  });
});

describe("MAX_CONNECTIONS", () => {
  it("limits the public listener, with a warning if there are not enough descriptors", async () => {
    const small = await startTestService(temporaryFolder().path, {
      env: { MAX_CONNECTIONS: "4" },
    });
    const open = Array.from({ length: 3 }, () => {
      const socket = connect(small.port, "127.0.0.1");
      socket.on("error", () => undefined);
      return { socket, closed: once(socket, "close") };
    });
    // One address may keep only a quarter of the connections.
    await Promise.all([open[1]?.closed, open[2]?.closed]);
    expect(open[0]?.socket.closed).toBe(false);
    await eventually(() => small.log.text.includes("connections rejected"));
    expect(small.log.text).toContain('"max":4,"maxPerNetwork":1');
    expect(small.log.text).not.toContain("descriptor limit");
    open[0]?.socket.destroy();
    await small.stop();

    const large = await startTestService(temporaryFolder().path, {
      env: { MAX_CONNECTIONS: "800" },
      deps: { descriptorLimit: () => 1024 },
    });
    expect(large.log.text).toContain("lowered to fit descriptor limit");
    await large.stop();
  });
});

describe("the operational log", () => {
  useService();

  it("has no line for a request at level info, and one line without headers at level debug", async () => {
    const body = eventBody("evt_log");
    await service.post(body);
    expect(service.log.text).not.toContain("webhooks");

    const verbose = await startTestService(folder.path, {
      env: {
        LOG_LEVEL: "debug",
        DATABASE_URL: `sqlite:${folder.path}/v.db`,
        HANDLERS: "",
      },
    });
    const signature = signed(body);
    const headers = { ...signature, authorization: "Bearer geheim" };
    await verbose.post(body, headers, "/webhooks/hex?geheim=1");
    await eventually(() => verbose.log.text.includes("/webhooks/hex"));
    await verbose.stop();

    const line = verbose.log.text
      .split("\n")
      .find((one) => one.includes("/webhooks/hex"));
    expect(JSON.parse(line!)).toEqual({
      level: "debug",
      time: expect.any(String),
      req: { id: expect.any(String), method: "POST", path: "/webhooks/hex" },
      res: { status: 200 },
      durationMs: expect.any(Number),
      msg: "request completed",
    });
    expect(verbose.log.text).not.toContain("geheim");
    expect(verbose.log.text).not.toContain(signature["x-hex-signature"]);
  });
});
