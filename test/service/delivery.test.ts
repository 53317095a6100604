import { beforeEach, describe, expect, it } from "@jest/globals";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { Webhook } from "standardwebhooks";
import { waitAfterAttempt } from "../../src/domain/backoff.ts";
import { createGlob } from "../../src/domain/glob.ts";
import { afterLostAttempt } from "../../src/domain/lost-attempt.ts";
import { createOrderKey } from "../../src/intake/order-key.ts";
import { isJsonPointer } from "../../src/json/json-pointer.ts";
import { createRouter, isEventPattern } from "../../src/intake/routing.ts";
import { settle } from "../../src/delivery/settle.ts";
import {
  type CircuitBreaker,
  createCircuitBreaker,
} from "../../src/delivery/circuit-breaker.ts";
import { headerText } from "../../src/delivery/http/header-text.ts";
import { createQuarantine } from "../../src/delivery/quarantine.ts";
import { loadHandlers } from "../../src/delivery/handler/load-handlers.ts";
import { openStoreReader } from "../../src/store/open.ts";
import {
  type Attempt,
  hang,
  reply,
  type Reply,
  startDestination,
} from "../support/destinations.ts";
import { eventBody, signed } from "../support/fixtures.ts";
import { eventually } from "../support/eventually.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { freePort } from "../support/processes.ts";

let folder: ReturnType<typeof temporaryFolder>;
let service: TestService | undefined;

beforeEach(() => {
  folder = temporaryFolder();
  service = undefined;
});

const destination = (answer: Reply) => startDestination(answer);

let handlersFiles = 0;

function handlersFile(source: string): string {
  // Each test needs its own file, because a module is loaded only once for each path.
  handlersFiles += 1;
  const file = path.join(folder.path, `handlers-${handlersFiles}.mjs`);
  writeFileSync(file, source);
  return file;
}

const NO_HANDLERS = "export default {};";

async function forwardTo(url: string, env: Record<string, string> = {}) {
  service = await startTestService(folder.path, {
    env: {
      FORWARD_URL: url,
      HANDLERS: handlersFile(NO_HANDLERS),
      RETRY_SCHEDULE: "20ms,40ms",
      ...env,
    },
  });
  return service;
}

async function deliveryEntries(count: number) {
  return eventually(async () => {
    const entries = (await service!.entries()).filter(({ action }) =>
      action.startsWith("delivery."),
    );
    return entries.length >= count ? entries : null;
  });
}

describe("an HTTP destination", () => {
  it("gets the exact bytes, content type and headers, with a signature that standardwebhooks accepts", async () => {
    const secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const { attempts, url } = await destination(reply(204));
    const { post } = await forwardTo(url, { FORWARD_SECRET: secret });
    const body = Buffer.from(
      '{"id":"evt_1","type":"t","x":"\xff é"}',
      "latin1",
    );
    const traceparent =
      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    await post(body, {
      ...signed(body),
      "content-type": "application/json; charset=utf-8",
      cookie: "geheim",
      traceparent,
    });

    const [entry] = await deliveryEntries(1);
    expect(attempts).toHaveLength(1);
    const [{ headers, body: got }] = attempts as [Attempt];
    expect(got.equals(body)).toBe(true);
    expect(headers).toMatchObject({
      "content-type": "application/json; charset=utf-8",
      "webhook-id": "evt_1",
      "x-hexhook-source": "hex",
      "x-hexhook-type": "t",
      "x-hexhook-attempt": "1",
    });
    expect(headers["traceparent"]).toMatch(
      /^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/,
    );
    expect(headers["traceparent"]).not.toBe(traceparent);
    expect(headers.cookie).toBeUndefined();
    expect(headers["x-hex-signature"]).toBeUndefined();
    // The package reads the body as text, so this body is valid text.
    const text = eventBody("evt_text");
    await post(text);
    await deliveryEntries(2);
    const second = attempts[1]!;
    expect(
      new Webhook(secret).verify(
        second.body.toString("utf8"),
        second.headers as Record<string, string>,
      ),
    ).toMatchObject({ id: "evt_text" });
    expect(entry).toMatchObject({
      action: "delivery.succeeded",
      userId: "worker",
      resource: "/destinations/forward",
      result: "success",
      metadata: { eventId: "evt_1", attempt: 1, status: 204 },
    });
  });

  it("gets no signature without a secret", async () => {
    const { attempts, url } = await destination(reply(200));
    const { post } = await forwardTo(url);
    await post(eventBody("evt_1"));
    await deliveryEntries(1);
    expect(attempts[0]!.headers["webhook-signature"]).toBeUndefined();
    expect(attempts[0]!.headers["webhook-id"]).toBe("evt_1");
  });

  it("that responds 500, 500 and 200 gets three attempts with the same id and bytes", async () => {
    const { attempts, url } = await destination((res, attempt) => {
      res.writeHead(attempt < 3 ? 500 : 200).end("x".repeat(100_000));
    });
    const { post } = await forwardTo(url);
    const body = eventBody("evt_retry");

    await post(body);

    const entries = await deliveryEntries(3);
    expect(entries.map(({ action }) => action)).toEqual([
      "delivery.failed",
      "delivery.failed",
      "delivery.succeeded",
    ]);
    expect(entries.map(({ metadata }) => metadata["attempt"])).toEqual([
      1, 2, 3,
    ]);
    expect(entries[0]!.metadata).toMatchObject({
      reason: "status",
      status: 500,
      nextAttemptAt: expect.stringMatching(/^\d{4}-/),
    });
    expect(
      new Set(attempts.map(({ headers }) => headers["webhook-id"])),
    ).toEqual(new Set(["evt_retry"]));
    expect(attempts.every((attempt) => attempt.body.equals(body))).toBe(true);
    expect(attempts.map(({ headers }) => headers["x-hexhook-attempt"])).toEqual(
      ["1", "2", "3"],
    );
  });

  it("that always fails exhausts the delivery after the schedule", async () => {
    const { attempts, url } = await destination(reply(503));
    const { post } = await forwardTo(url);
    await post(eventBody("evt_never"));

    const entries = await deliveryEntries(3);

    expect(entries.map(({ action }) => action)).toEqual([
      "delivery.failed",
      "delivery.failed",
      "delivery.exhausted",
    ]);
    expect(attempts).toHaveLength(3);
  });

  it("that responds 410 exhausts the delivery at once", async () => {
    const { attempts, url } = await destination(reply(410));
    const { post } = await forwardTo(url);
    await post(eventBody("evt_gone"));

    expect((await deliveryEntries(1))[0]).toMatchObject({
      action: "delivery.exhausted",
      metadata: { status: 410 },
    });
    expect(attempts).toHaveLength(1);
  });

  it("that redirects fails the attempt, and the redirect is not followed", async () => {
    const elsewhere = await destination(reply(200));
    const { url } = await destination(reply(307, { location: elsewhere.url }));
    const { post } = await forwardTo(url);
    await post(eventBody("evt_redirect"));

    expect((await deliveryEntries(1))[0]).toMatchObject({
      action: "delivery.failed",
      metadata: { status: 307 },
    });
    expect(elsewhere.attempts).toHaveLength(0);
  });

  it("that hangs fails the attempt with a timeout and affects nothing else", async () => {
    const { url } = await destination(hang);
    const { post } = await forwardTo(url, { ATTEMPT_TIMEOUT: "300ms" });
    await post(eventBody("evt_odd"));
    expect((await deliveryEntries(1))[0]).toMatchObject({
      action: "delivery.failed",
      metadata: { reason: "timeout" },
    });
  });

  it.each<[string, Reply, object]>([
    [
      "streams forever",
      (res) => {
        res.writeHead(200);
        const pump = setInterval(() => res.write("x".repeat(1000)), 1);
        res.on("close", () => {
          clearInterval(pump);
        });
      },
      { action: "delivery.succeeded", metadata: { status: 200 } },
    ],
    [
      "resets the connection after the request",
      (res) => res.socket?.resetAndDestroy(),
      {
        action: "delivery.failed",
        metadata: { reason: "network", detail: "ECONNRESET" },
      },
    ],
  ])(
    "that %s ends the attempt and affects nothing else",
    async (_what, how, outcome) => {
      const { url } = await destination(how);
      const { post } = await forwardTo(url);
      await post(eventBody("evt_odd"));
      expect((await deliveryEntries(1))[0]).toMatchObject(outcome);
    },
  );

  it("on a closed port fails the attempt with its network error", async () => {
    const { post } = await forwardTo(`http://127.0.0.1:${await freePort()}/`);
    await post(eventBody("evt_closed_port"));
    expect((await deliveryEntries(1))[0]).toMatchObject({
      action: "delivery.failed",
      metadata: { reason: "network", detail: "ECONNREFUSED" },
    });
  });

  it("that hangs does not delay another one, or the responses to senders", async () => {
    const { url } = await destination(hang);
    const { post } = await forwardTo(url, {
      ATTEMPT_TIMEOUT: "1h",
      HANDLERS: handlersFile('export default { "*": () => undefined };'),
      SHUTDOWN_SECONDS: "1",
    });

    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, n) => post(eventBody(`evt_${n}`))),
    );

    expect(answers.every(({ status }) => status === 200)).toBe(true);
    const entries = await deliveryEntries(30);
    expect(new Set(entries.map(({ resource }) => resource))).toEqual(
      new Set(["/destinations/handler:*"]),
    );
  });

  it("gets ids that no header can hold in an encoded form, which differs for different ids", async () => {
    const { attempts, url } = await destination(reply(200));
    const { post } = await forwardTo(url);
    await post(eventBody("a\nb é%😀"));
    await deliveryEntries(1);
    expect(attempts[0]!.headers["webhook-id"]).toBe(
      "a%0Ab%20%C3%A9%25%F0%9F%98%80",
    );
    expect(headerText("a%0Ab")).not.toBe(headerText("a\nb"));
    expect(headerText("evt_1:2/3=4+5")).toBe("evt_1:2/3=4+5");
  });
});

describe("a restart", () => {
  it("delivers what the stopped service had not delivered", async () => {
    const port = await freePort();
    const first = await forwardTo(`http://127.0.0.1:${port}/hooks`, {
      RETRY_SCHEDULE: Array(1000).fill("100ms").join(),
    });
    await first.post(eventBody("evt_later"));
    await deliveryEntries(1);
    await first.stop();
    const { attempts, url } = await destination(reply(200));

    await forwardTo(url);

    await eventually(async () =>
      (await deliveryEntries(2)).some(
        ({ action }) => action === "delivery.succeeded",
      ),
    );
    expect(attempts[0]!.headers["webhook-id"]).toBe("evt_later");
  });

  it("repeats at once an attempt that the stop interrupted and released", async () => {
    const { attempts, url } = await destination(hang);
    const first = await forwardTo(url, {
      ATTEMPT_TIMEOUT: "1h",
      SHUTDOWN_SECONDS: "1",
    });
    await first.post(eventBody("evt_cut"));
    await eventually(() => attempts.length === 1);
    await first.stop();
    const well = await destination(reply(500));

    // The schedule has one wait. If the released attempt counted, the next one would be the last.
    await forwardTo(well.url, { RETRY_SCHEDULE: "10ms" });

    const entries = await deliveryEntries(2);
    expect(
      entries.map(({ action, metadata }) => [action, metadata["attempt"]]),
    ).toEqual([
      ["delivery.failed", 2],
      ["delivery.exhausted", 3],
    ]);
    expect(well.ids()).toEqual(["evt_cut", "evt_cut"]);
    const store = await openStoreReader(service!.config.databaseUrl);
    const [event] = await store.findEvents("evt_cut");
    await store.close();
    expect(
      event!.deliveries[0]!.attempts.map(({ attempt, reason }) => [
        attempt,
        reason,
      ]),
    ).toEqual([
      [1, "released"],
      [2, "status"],
      [3, "status"],
    ]);
  });

  it("counts an attempt that ends before the stop only once", async () => {
    const held: (() => void)[] = [];
    const slow = await destination((res) => {
      held.push(() => res.writeHead(200).end());
    });
    const first = await forwardTo(slow.url, { ATTEMPT_TIMEOUT: "1h" });
    await first.post(eventBody("evt_last"));
    await eventually(() => held.length === 1);
    const stopped = first.stop();
    held[0]!();
    await stopped;
    const entries = await first.entries();
    expect(entries.map(({ action }) => action).slice(-3)).toEqual([
      "delivery.succeeded",
      "server.stopped",
      "audit.checkpoint",
    ]);
    await forwardTo(slow.url);
    await service!.post(eventBody("evt_next"));
    await eventually(() => held.length === 2);
    held[1]!();
    await deliveryEntries(2);
    expect(slow.ids()).toEqual(["evt_last", "evt_next"]);
  });
});

describe("handlers", () => {
  it("get the event with its exact bytes, as a separate delivery for each matching pattern", async () => {
    const file = handlersFile(`
      globalThis.seen = [];
      const note = (pattern) => (event, context) => {
        globalThis.seen.push({ pattern, event, attempt: context.attempt, aborted: context.signal.aborted });
        context.logger.info({ eventId: event.id }, "noted");
      };
      export default { "resource.created": note("exact"), "resource.*": note("prefix"), "*": note("all"), "other": note("other") };
    `);
    service = await startTestService(folder.path, { env: { HANDLERS: file } });
    const body = Buffer.from(
      '\ufeff{"id":"evt_h","type":"resource.created","x":"\u00e9"}',
    );

    const answer = await service.post(body);

    expect(answer.status).toBe(200);
    await deliveryEntries(3);
    const { seen } = globalThis as unknown as {
      seen: {
        pattern: string;
        attempt: number;
        aborted: boolean;
        event: {
          id: string;
          type: string;
          source: string;
          receivedAt: Date;
          headers: Record<string, string>;
          rawBody: Buffer;
          payload: unknown;
        };
      }[];
    };
    expect(seen.map(({ pattern }) => pattern).sort()).toEqual([
      "all",
      "exact",
      "prefix",
    ]);
    const [{ event, attempt, aborted }] = seen as [(typeof seen)[0]];
    expect(event).toMatchObject({
      id: "evt_h",
      type: "resource.created",
      source: "hex",
      payload: { id: "evt_h", x: "é" },
    });
    expect(event.rawBody.equals(body)).toBe(true);
    expect(Object.prototype.toString.call(event.receivedAt)).toBe(
      "[object Date]",
    );
    expect(event.headers["content-type"]).toBe("application/json");
    expect(event.headers["x-hex-signature"]).toBeUndefined();
    expect([attempt, aborted]).toEqual([1, false]);
    await eventually(() => service!.log.text.includes("noted"));
  });

  it("that throw, reject or never settle fail the attempt, which is retried", async () => {
    const file = handlersFile(`
      export default {
        throws: () => { throw new Error("geheim"); },
        rejects: async () => { throw undefined; },
        hangs: (_event, { signal }) => new Promise(() => { signal.addEventListener("abort", () => { globalThis.heard = true; }); }),
      };
    `);
    service = await startTestService(folder.path, {
      env: {
        HANDLERS: file,
        RETRY_SCHEDULE: "10ms",
        ATTEMPT_TIMEOUT: "100ms",
      },
    });
    for (const type of ["throws", "rejects", "hangs"]) {
      await service.post(eventBody(`evt_${type}`, type));
    }

    const entries = await deliveryEntries(6);

    const outcomes = (type: string) =>
      entries
        .filter(({ metadata }) => metadata["eventType"] === type)
        .map(({ action, metadata }) => [action, metadata["reason"]]);
    for (const [type, reason] of [
      ["throws", "handler_threw"],
      ["rejects", "handler_threw"],
      ["hangs", "timeout"],
    ] as const) {
      expect(outcomes(type)).toEqual([
        ["delivery.failed", reason],
        ["delivery.exhausted", reason],
      ]);
    }
    expect((globalThis as { heard?: boolean }).heard).toBe(true);
    expect(JSON.stringify(entries)).not.toContain("geheim");
  });

  it.each([
    ["does not exist", null, /cannot load/],
    ["has a syntax error", "export default {", /cannot load/],
    ["has no default export", "export const a = 1;", /default export/],
    ["exports an array", "export default [];", /default export/],
    ["exports a Map", "export default new Map();", /default export/],
    [
      "exports a promise",
      "export default Promise.resolve({});",
      /default export/,
    ],
    [
      "exports an instance",
      "export default new (class { a() {} })();",
      /default export/,
    ],
    [
      "throws while it is read",
      "export default { get a() { throw new Error('no'); } };",
      /cannot load .*: no/,
    ],
    ["throws an empty message", 'throw new Error("\\n");', /it threw/],
    [
      "has a value that is not a function",
      'export default { "a": 1 };',
      /"a" .* must be a function/,
    ],
    ["has an invalid pattern", 'export default { "a*b": () => 1 };', /"a\*b"/],
  ])(
    "in a module that %s are a configuration error",
    async (_what, source, message) => {
      const file =
        source === null
          ? path.join(folder.path, "none.mjs")
          : handlersFile(source);
      await expect(loadHandlers(file)).rejects.toMatchObject({
        name: "ConfigError",
        message: expect.stringMatching(message),
      });
      await expect(loadHandlers(file)).rejects.toThrow(file);
    },
  );
});

describe("routing", () => {
  const NO_BODY = Buffer.from("{}");
  const everywhere = {
    name: "d",
    sources: ["hex"],
    events: ["*"],
    orderBy: null,
  };

  it.each([
    ["*", "anything", true],
    ["a.*", "a.b", true],
    ["a.*", "a.b.c", true],
    ["a.*", "a", false],
    ["a.*", "ab.c", false],
    ["a.b", "a.b", true],
    ["a.b", "a.bc", false],
    ["a.b", "axb", false],
  ])("%s matches %s: %s", (pattern, type, matches) => {
    const route = createRouter([{ ...everywhere, events: [pattern] }]);
    expect(route({ source: "hex", type, body: NO_BODY })).toEqual(
      matches ? [{ destination: "d", orderKey: null }] : [],
    );
  });

  it("selects only the destinations of the event's source", () => {
    const route = createRouter([
      everywhere,
      { ...everywhere, name: "other", sources: ["other"] },
    ]);
    const to = (source: string) =>
      route({ source, type: "t", body: NO_BODY }).map((d) => d.destination);
    expect([to("hex"), to("other"), to("none")]).toEqual([
      ["d"],
      ["other"],
      [],
    ]);
  });

  it("accepts only valid patterns", () => {
    expect(["*", "a", "a.*", "a.b.*"].every(isEventPattern)).toBe(true);
    expect(["", "**", "a*", "*.a", ".*"].some(isEventPattern)).toBe(false);
  });
});

describe("the state after an attempt", () => {
  const base = { scheduleMs: [1000, 2000], now: 10_000, random: 0.5 };
  it.each([
    [1, { ok: true }, { state: "succeeded" }],
    [1, { ok: false, reason: "status" }, { state: "pending", dueAt: 11_000 }],
    [2, { ok: false, reason: "status" }, { state: "pending", dueAt: 12_000 }],
    [3, { ok: false, reason: "status" }, { state: "exhausted" }],
    [1, { ok: false, reason: "status", gone: true }, { state: "exhausted" }],
    [3, { ok: true }, { state: "succeeded" }],
  ] as const)(
    "for attempt %d with the result %j is %j",
    (scheduledAttempt, result, state) => {
      expect(settle({ ...base, scheduledAttempt, result })).toEqual(state);
    },
  );

  it("has the scheduled wait ±20 %", () => {
    expect(waitAfterAttempt(1, [1000], 0)).toBe(800);
    expect(waitAfterAttempt(1, [1000], 0.5)).toBe(1000);
    expect(waitAfterAttempt(1, [1000], 1 - Number.EPSILON)).toBe(1200);
    expect(waitAfterAttempt(2, [1000], 0)).toBeNull();
  });
});

describe("an order key", () => {
  const bodyOf = (payload: unknown): Buffer =>
    Buffer.from(JSON.stringify(payload));
  const body = bodyOf({
    id: "e",
    n: 7,
    s: "7",
    yes: true,
    nothing: null,
    list: ["a", "b"],
    "a/b": { "~": "deep", "": "empty" },
    long: "x".repeat(1000),
    nested: [[], { "ключ\n": [1.0, { last: -0.5e1 }] }],
  });
  it.each([
    ["/n", "7"],
    ["/nested/1/ключ\n/1/last", "-5"],
    ["/nested/1/ключ\n/0", "1"],
    ["/nested/2", null],
    ["/nested/01", null],
    ["/s", '"7"'],
    ["/yes", "true"],
    ["/list/1", '"b"'],
    ["/a~1b/~0", '"deep"'],
    ["/a~1b/", '"empty"'],
    ["/nothing", null],
    ["/list", null],
    ["/missing", null],
    ["/id/length", null],
    ["/list/length", null],
    ["/toString", null],
    ["/__proto__/x", null],
  ])("at %s is %j", (pointer, key) => {
    expect(isJsonPointer(pointer)).toBe(true);
    expect(createOrderKey(pointer)(body)).toBe(key);
  });

  it("of a long value is short, and differs from the key of another value", () => {
    const key = createOrderKey("/long");
    expect(key(body)).toHaveLength(64);
    expect(key(bodyOf({ long: "x".repeat(1001) }))).not.toBe(key(body));
  });

  it("is read from the last of duplicate members, and after a byte order mark", () => {
    const twice = Buffer.from('\ufeff{"a":{"k":1},"\\u0061":{"k":2,"k":3}}');
    expect(createOrderKey("/a/k")(twice)).toBe("3");
  });

  it("needs a JSON pointer", () => {
    expect(["", "a", "/a~", "/~2"].some(isJsonPointer)).toBe(false);
  });
});

describe("a glob", () => {
  it.each([
    ["a.b", "a.b", true],
    ["a.b", "axb", false],
    ["*", "", true],
    ["a*", "ab", true],
    ["*b", "ab", true],
    ["a*a", "a", false],
    ["a*b*c", "a1b2c", true],
    ["a*b*c", "a1c2b", false],
    ["*b*b*", "abcb", true],
    ["*b*b*", "abc", false],
    ["a**c", "abc", true],
    ["a[b]", "ab", false],
  ])("%s matches %s: %s", (pattern, text, fits) => {
    expect(createGlob(pattern)(text)).toBe(fits);
  });

  it("stays fast with many stars", () => {
    const glob = createGlob(`${"a*".repeat(5000)}b`);
    expect(glob("a".repeat(100_000))).toBe(false);
  });
});

describe("a circuit breaker", () => {
  let changes: string[];
  const make = () => {
    changes = [];
    return createCircuitBreaker({
      threshold: 3,
      minEvents: 2,
      waitsMs: [1000, 5000],
      onChange: (state) => changes.push(state),
    });
  };
  let event = 0;
  /** Ends `times` failed attempts, each of another event. */
  const failed = (breaker: CircuitBreaker, now: number, times = 1) => {
    for (let n = 0; n < times; n += 1) {
      event += 1;
      breaker.ended("failed", { event, now, isProbe: false });
    }
  };
  const probe = (
    breaker: CircuitBreaker,
    result: "succeeded" | "failed" | "neutral",
    now: number,
  ) => {
    event += 1;
    const isProbe = breaker.probeStarted(event);
    breaker.ended(result, { event, now, isProbe });
  };

  it("opens after `threshold` consecutive failures, and a success resets the count", () => {
    const breaker = make();
    failed(breaker, 0, 2);
    breaker.ended("succeeded", { event: 1, now: 0, isProbe: false });
    failed(breaker, 0, 2);
    expect([breaker.room(8, 0), breaker.status(0)]).toEqual([
      8,
      { state: "closed", failures: 2, probeAt: null },
    ]);
    failed(breaker, 0);
    expect([breaker.room(8, 999), breaker.status(999)]).toEqual([
      0,
      { state: "open", failures: 3, probeAt: 1000 },
    ]);
  });

  it("allows one probe after its wait, waits longer when it fails, and closes when it succeeds", () => {
    const breaker = make();
    failed(breaker, 0, 3);
    expect(breaker.room(8, 1000)).toBe(1);
    expect(breaker.status(1000).state).toBe("half-open");
    expect(breaker.probeStarted(1)).toBe(true);
    expect(breaker.room(8, 1000)).toBe(0);
    // An attempt that was in flight before neither extends the wait nor allows another probe.
    failed(breaker, 1500);
    expect([breaker.room(8, 1500), breaker.status(1500).probeAt]).toEqual([
      0, 1000,
    ]);
    breaker.ended("failed", { event: 1, now: 2000, isProbe: true });
    expect([breaker.room(8, 6999), breaker.room(8, 7000)]).toEqual([0, 1]);
    probe(breaker, "failed", 7000);
    // The last wait is repeated.
    expect([breaker.room(8, 11_999), breaker.room(8, 12_000)]).toEqual([0, 1]);
    probe(breaker, "succeeded", 12_000);
    expect([breaker.room(8, 12_000), breaker.status(12_000)]).toEqual([
      8,
      { state: "closed", failures: 0, probeAt: null },
    ]);
    expect(changes).toEqual(["open", "closed"]);
  });

  it("does not extend its wait for attempts that were in flight when it opened", () => {
    const breaker = make();
    failed(breaker, 0, 8);
    expect(breaker.status(0).probeAt).toBe(1000);
  });

  it("allows another probe after a neutral one, and closes when an operator resets it", () => {
    const breaker = make();
    failed(breaker, 0, 3);
    probe(breaker, "neutral", 1000);
    expect(breaker.room(8, 1000)).toBe(1);
    failed(breaker, 1000);
    breaker.reset();
    expect(breaker.room(8, 0)).toBe(8);
  });
});

describe("the quarantine", () => {
  const nothing = () => undefined;

  it("allows one delivery that crashed once beside others, and then notifies those that wait", () => {
    const quarantine = createQuarantine();
    expect(quarantine.ask(nothing)).toBe("repeatedly");
    quarantine.claimed("repeatedly", 3, "none");
    expect(quarantine.ask(nothing)).toBe("once");
    quarantine.claimed("once", 1, "once");
    let notified = 0;
    expect(
      quarantine.ask(() => {
        notified += 1;
      }),
    ).toBe("none");
    quarantine.claimed("none", 0, "none");
    notified = 0;
    quarantine.ask(() => {
      notified += 1;
    });
    quarantine.ended("once");
    expect(notified).toBe(1);
    expect(quarantine.ask(nothing)).toBe("once");
  });

  it("allows no attempt while one that crashed repeatedly is claimed or in flight", () => {
    const quarantine = createQuarantine();
    expect(quarantine.ask(nothing)).toBe("repeatedly");
    expect(quarantine.ask(nothing)).toBe("closed");
    quarantine.claimed("repeatedly", 1, "repeatedly");
    let notified = false;
    expect(
      quarantine.ask(() => {
        notified = true;
      }),
    ).toBe("closed");
    quarantine.ended("repeatedly");
    expect(notified).toBe(true);
    expect(quarantine.ask(nothing)).toBe("repeatedly");
  });

  it("allows no attempt while it drains, and notifies the worker that drains first", () => {
    const quarantine = createQuarantine();
    const notified: string[] = [];
    quarantine.ask(nothing);
    quarantine.claimed("repeatedly", 2, "none");
    quarantine.ask(nothing);
    quarantine.drain(() => notified.push("drainer"));
    quarantine.claimed("once", 0, "none");
    expect(quarantine.ask(() => notified.push("other"))).toBe("closed");
    notified.length = 0;
    quarantine.ended("none");
    expect([quarantine.ask(nothing), notified]).toEqual(["closed", []]);
    quarantine.ended("none");
    expect(notified).toEqual(["drainer", "other"]);
    expect(quarantine.ask(nothing)).toBe("repeatedly");
  });

  it("does not notify a worker of its own failed claim, so that the worker does not loop", () => {
    const quarantine = createQuarantine();
    let calls = 0;
    const onChange = () => {
      calls += 1;
    };
    const pass = quarantine.ask(onChange);
    if (pass !== "closed") {
      quarantine.claimed(pass, 0, "none");
    }
    expect(calls).toBe(0);
  });
});

describe("a delivery after a lost attempt", () => {
  it.each([
    ["handler", 4, { state: "pending", dueAt: 7 }],
    ["handler", 5, { state: "exhausted" }],
    ["http", 500, { state: "pending", dueAt: 7 }],
  ] as const)(
    "to a destination of the kind %s, after %d crashes, is %j",
    (kind, crashes, state) => {
      expect(afterLostAttempt({ kind, crashes, now: 7 })).toEqual(state);
    },
  );
});
