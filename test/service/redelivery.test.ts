import { beforeEach, describe, expect, it } from "@jest/globals";
import { writeFileSync } from "node:fs";
import path from "node:path";
import {
  hang,
  reply,
  startDestination,
  type TestDestination,
} from "../support/destinations.ts";
import { eventBody, SECRET, signed } from "../support/fixtures.ts";
import { eventually } from "../support/eventually.ts";
import { exchangeRaw } from "../support/exchange-raw.ts";
import { openTestStore, storeFileIn } from "../support/open-test-store.ts";
import { storeEnvironment } from "../support/service-store.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { hexhook } from "../support/hexhook.ts";
import { freePort, serve } from "../support/processes.ts";

const TOKEN = "test-admin-token-0123456789abcdef";

interface Json {
  readonly [name: string]: unknown;
}

let folder: ReturnType<typeof temporaryFolder>;
let service: TestService | undefined;
let destination: TestDestination;

beforeEach(async () => {
  folder = temporaryFolder();
  destination = await startDestination(reply(500));
  writeFileSync(path.join(folder.path, "none.mjs"), "export default {};");
});

/** Starts a service that forwards to the destination, and exhausts a delivery after its second attempt. */
async function start(env: Record<string, string> = {}): Promise<TestService> {
  service = await startTestService(folder.path, {
    env: {
      FORWARD_URL: destination.url,
      HANDLERS: path.join(folder.path, "none.mjs"),
      RETRY_SCHEDULE: "10ms",
      ADMIN_PORT: String(await freePort()),
      ADMIN_TOKEN: TOKEN,
      ...env,
    },
  });
  return service;
}

async function api(
  method: string,
  target: string,
  options: { body?: unknown; token?: string | null } = {},
): Promise<{ status: number; headers: Headers; json: Json }> {
  const { body, token = TOKEN } = options;
  const response = await fetch(
    `http://127.0.0.1:${service!.adminPort}${target}`,
    {
      method,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    },
  );
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    json: (text === "" ? {} : JSON.parse(text)) as Json,
  };
}

const post = async (id: string, type?: string): Promise<void> => {
  expect((await service!.post(eventBody(id, type))).status).toBe(200);
};

const entriesOf = async (action: string) =>
  (await service!.entries()).filter((entry) => entry.action === action);

async function untilExhausted(count: number): Promise<void> {
  await eventually(
    async () => (await entriesOf("delivery.exhausted")).length >= count,
  );
}

/** Returns the delivery of an event, as the API shows it. */
async function deliveryOf(id: string): Promise<Json> {
  const { json } = await api("GET", `/api/events/${encodeURIComponent(id)}`);
  return (json["deliveries"] as Json[])[0]!;
}

describe("the management API", () => {
  it("responds 404 without ADMIN_TOKEN, and on the public listener", async () => {
    await start({ ADMIN_TOKEN: "" });
    for (const target of ["/api/events", "/api/destinations", "/api/nothing"]) {
      expect(await api("GET", target)).toMatchObject({
        status: 404,
        json: { code: "not_found" },
      });
    }
    await service!.stop();
    await start();
    const { status } = await service!.request("/api/events", {
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    expect(status).toBe(404);
  });

  it.each([
    ["no token", null],
    ["another token", "test-admin-token-0123456789abcdeF"],
    ["a longer token", `${TOKEN}x`],
    ["a shorter token", TOKEN.slice(0, -1)],
    ["an empty token", ""],
  ])(
    "rejects %s with 401 on every path, and keeps the token out of the audit entry",
    async (_what, token) => {
      await start();
      for (const target of ["/api/events", "/api/nothing"]) {
        const { status, headers, json } = await api("GET", target, { token });
        expect([status, json["code"]]).toEqual([401, "unauthorized"]);
        expect(headers.get("www-authenticate")).toContain("Bearer");
      }
      const entries = await entriesOf("http.rejected");
      expect(entries).toHaveLength(2);
      expect(JSON.stringify(entries)).not.toContain(TOKEN.slice(0, 20));
    },
  );

  it("rejects a duplicate Authorization header, other methods and unknown paths", async () => {
    await start();
    const { adminPort } = service!;
    const auth = `authorization: Bearer ${TOKEN}\r\n`;
    const answer = await exchangeRaw(
      adminPort!,
      `GET /api/events HTTP/1.1\r\nhost: x\r\n${auth}${auth}connection: close\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
    const wrong = await api("DELETE", "/api/events");
    expect([wrong.status, wrong.headers.get("allow")]).toEqual([
      405,
      "GET, HEAD",
    ]);
    expect((await api("GET", "/api/nothing")).status).toBe(404);
    expect((await api("GET", "/API/events")).status).toBe(404);
    for (const [method, target] of [
      ["GET", "/api/events/%ff"],
      ["POST", "/api/deliveries/%/redeliver"],
      ["POST", "/api/destinations/%zz/pause"],
    ] as const) {
      expect(await api(method, target)).toMatchObject({
        status: 400,
        json: { detail: expect.stringContaining("%") },
      });
    }
  });

  it("responds to an operator with a detail, even if the rate limit of the address is exceeded", async () => {
    await start();
    // On a slow machine the limiter regains tokens between requests, so the number of requests until 429 varies.
    let rejected;
    for (let n = 0; n < 6_000 && rejected !== 429; n += 1) {
      rejected = (await api("GET", "/api/events", { token: "x" })).status;
    }
    expect(rejected).toBe(429);
    expect(await api("GET", "/api/events/evt_unknown")).toMatchObject({
      status: 404,
      json: {
        detail:
          'there is no event "evt_unknown"; GET /api/events lists the events',
      },
    });
    expect((await service!.lastEntry())!.userId).toBe("operator:api");
  });

  it("redelivers a delivery whose process died, even if its destination is paused", async () => {
    destination.answer(hang);
    const running = await serve(folder.path, {
      FORWARD_URL: destination.url,
      HANDLERS: "none.mjs",
      ATTEMPT_TIMEOUT: "1s",
    });
    const body = eventBody("evt_1");
    await running.post(body, signed(body));
    await eventually(() => destination.attempts.length === 1);
    await running.stop("SIGKILL");
    const store = await openTestStore(folder.path);
    await store.setPaused(
      "forward",
      { at: 1, by: "alice" },
      {
        at: 1,
        action: "destination.paused",
        userId: "operator:alice",
        resource: "/destinations/forward",
        result: "success",
        metadata: {},
      },
    );
    await store.close();
    await start();
    // A shared store may wait for the end of the lease.
    await eventually(
      async () => (await deliveryOf("evt_1"))["inFlight"] === false,
    );
    expect(await deliveryOf("evt_1")).toMatchObject({ state: "pending" });
    const { json } = await api("POST", "/api/events/redeliver", {
      body: { ids: ["evt_1", "hex/evt_1"] },
    });
    expect(json).toMatchObject({ matched: 1, redelivered: 1 });
    expect((await deliveryOf("evt_1"))["attempts"]).toMatchObject([
      { attempt: 1, reason: "process_died", endedAt: null },
    ]);
  });

  it.each([
    ["GET", "/api/events?state=lost", undefined, "state"],
    ["GET", "/api/events?since=yesterday", undefined, "since"],
    ["GET", "/api/events?limit=0", undefined, "limit"],
    ["GET", "/api/events?limit=1001", undefined, "limit"],
    ["GET", "/api/events?cursor=x", undefined, "cursor"],
    ["GET", "/api/events?colour=red", undefined, "colour"],
    ["GET", "/api/events?type=a&type=b", undefined, "type"],
    ["POST", "/api/events/redeliver", {}, "ids"],
    ["POST", "/api/events/redeliver", [], "expected object"],
    ["POST", "/api/events/redeliver", { ids: [] }, "ids"],
    ["POST", "/api/events/redeliver", { ids: ["a"], all: true }, "ids"],
    ["POST", "/api/events/redeliver", { all: true, as: "a b" }, "as"],
    ["POST", "/api/events/redeliver", { all: true, dryrun: true }, "dryrun"],
    ["POST", "/api/destinations/forward/pause", { as: "\n" }, "as"],
  ])(
    "rejects %s %s with the body %j: 400, and a detail that names the error",
    async (method, target, body, word) => {
      await start();
      const { status, json } = await api(method, target, { body });
      expect([status, json["code"]]).toEqual([400, "bad_request"]);
      expect(json["detail"]).toContain(word);
    },
  );

  it("lists events by filter in pages, newest first, and shows one event with its attempts and without its body", async () => {
    await start();
    for (const id of ["evt_1", "evt_2", "evt/3 ü"]) {
      await post(id, id === "evt_2" ? "invoice.paid" : "user.created");
    }
    await untilExhausted(3);

    const idsOf = async (query: string) => {
      const { json } = await api("GET", `/api/events?${query}`);
      return (json["events"] as Json[]).map(({ id }) => id);
    };
    expect(await idsOf("")).toEqual(["evt/3 ü", "evt_2", "evt_1"]);
    expect(await idsOf("state=exhausted&type=user.*")).toEqual([
      "evt/3 ü",
      "evt_1",
    ]);
    expect(await idsOf("source=hex&destination=forward&since=1h")).toHaveLength(
      3,
    );
    expect(await idsOf("since=2999-01-01")).toEqual([]);
    expect(await idsOf("state=pending")).toEqual([]);
    const first = await api("GET", "/api/events?limit=2");
    expect(first.json["next"]).toEqual(expect.any(String));
    expect(await idsOf(`limit=2&cursor=${String(first.json["next"])}`)).toEqual(
      ["evt_1"],
    );

    const shown = await api(
      "GET",
      `/api/events/${encodeURIComponent("evt/3 ü")}`,
    );
    expect(shown).toMatchObject({
      status: 200,
      json: {
        id: "evt/3 ü",
        source: "hex",
        type: "user.created",
        bodyBytes: eventBody("evt/3 ü", "user.created").length,
        bodySha256: expect.stringMatching(/^[0-9a-f]{64}$/),
        deliveries: [
          {
            destination: "forward",
            state: "exhausted",
            attempt: 2,
            nextAttemptAt: null,
            attempts: [
              {
                attempt: 1,
                result: "failure",
                status: 500,
                reason: "status",
                startedAt: expect.stringMatching(/Z$/),
              },
              { attempt: 2, result: "failure", status: 500 },
            ],
          },
        ],
      },
    });
    expect(JSON.stringify(shown.json)).not.toContain('"n":1');
    expect((await api("GET", "/api/events/hex/evt_1")).json["id"]).toBe(
      "evt_1",
    );
    expect((await api("GET", "/api/events/other/evt_1")).status).toBe(404);
    expect((await api("GET", "/api/events/evt_9")).json["detail"]).toContain(
      "evt_9",
    );
  });

  it("redelivers one delivery at once, with a new schedule, and records the operator's name in the audit trail", async () => {
    await start();
    await post("evt_1");
    await untilExhausted(1);
    destination.answer(reply(204));
    const { id } = await deliveryOf("evt_1");

    const answer = await api(
      "POST",
      `/api/deliveries/${String(id)}/redeliver`,
      {
        body: { as: "alice" },
      },
    );

    expect(answer.status).toBe(200);
    await eventually(() => destination.attempts.length === 3);
    expect(new Set(destination.ids())).toEqual(new Set(["evt_1"]));
    expect(destination.attempts[2]!.headers["x-hexhook-attempt"]).toBe("3");
    expect(await entriesOf("delivery.redelivered")).toMatchObject([
      {
        userId: "operator:alice",
        resource: "/destinations/forward",
        result: "success",
        metadata: {
          source: "hex",
          eventId: "evt_1",
          deliveryId: id,
          state: "exhausted",
          attempt: 2,
        },
      },
    ]);
    await eventually(
      async () => (await deliveryOf("evt_1"))["state"] === "succeeded",
    );
    for (const unknown of ["999", "x", "1e1", "-1"]) {
      expect(
        (await api("POST", `/api/deliveries/${unknown}/redeliver`)).status,
      ).toBe(404);
    }
  });

  it("does not redeliver a delivery while its attempt is in flight", async () => {
    destination.answer(hang);
    await start({ SHUTDOWN_SECONDS: "1" });
    await post("evt_1");
    await eventually(() => destination.attempts.length === 1);
    const { id } = await deliveryOf("evt_1");
    expect(
      await api("POST", `/api/deliveries/${String(id)}/redeliver`),
    ).toMatchObject({
      status: 409,
      json: { code: "attempt_in_flight" },
    });
    expect(
      (await api("POST", "/api/events/redeliver", { body: { ids: ["evt_1"] } }))
        .json,
    ).toEqual({
      dryRun: false,
      matched: 1,
      redelivered: 0,
      inFlight: 1,
    });
  });

  it("redelivers many deliveries by filter or by id, after a dry run that changes nothing", async () => {
    await start();
    for (let n = 0; n < 5; n += 1) {
      await post(`evt_${n}`, n < 3 ? "a.b" : "c.d");
    }
    await untilExhausted(5);
    destination.answer(reply(200));
    const body = { type: "a.*", as: "bob" };

    const dry = await api("POST", "/api/events/redeliver", {
      body: { ...body, dryRun: true },
    });
    expect(dry.json).toEqual({
      dryRun: true,
      matched: 3,
      redelivered: 0,
      inFlight: 0,
    });
    expect(await entriesOf("delivery.redelivered")).toEqual([]);
    expect(destination.attempts).toHaveLength(10);

    const real = await api("POST", "/api/events/redeliver", { body });
    expect(real.json).toEqual({
      dryRun: false,
      matched: 3,
      redelivered: 3,
      inFlight: 0,
    });
    await eventually(() => destination.attempts.length === 13);
    const ids = await api("POST", "/api/events/redeliver", {
      body: { ids: ["evt_3", "hex/evt_4", "evt_0"], state: "exhausted" },
    });
    expect(ids.json).toMatchObject({ matched: 2, redelivered: 2 });
    await eventually(() => destination.attempts.length === 15);
    expect(
      (await entriesOf("delivery.redelivered")).map(({ userId }) => userId),
    ).toEqual([
      ...Array.from({ length: 3 }, () => "operator:bob"),
      ...Array.from({ length: 2 }, () => "operator:api"),
    ]);
    const missing = await api("POST", "/api/events/redeliver", {
      body: { ids: ["evt_1", "evt_unknown"] },
    });
    expect(missing).toMatchObject({
      status: 404,
      json: { detail: expect.stringContaining("evt_unknown") },
    });
    expect(destination.attempts).toHaveLength(15);
  });

  it("shows each destination with its circuit breaker, keeps it paused after a restart, and resumes it", async () => {
    await start({ RETRY_SCHEDULE: "1h" });
    const forward = async () => {
      const { json } = await api("GET", "/api/destinations");
      return (json["destinations"] as Json[]).find(
        ({ name }) => name === "forward",
      )!;
    };
    expect(await forward()).toMatchObject({
      configured: true,
      kind: "http",
      place: new URL(destination.url).origin,
      concurrency: 8,
      events: ["*"],
      paused: false,
      breaker: { state: "closed", failures: 0, probeAt: null },
      pending: 0,
      exhausted: 0,
    });
    for (let n = 0; n < 6; n += 1) {
      await post(`evt_${n}`);
      await eventually(
        async () =>
          Number((await forward())["pending"]) === n + 1 &&
          (await forward())["inFlight"] === 0,
      );
    }
    expect(await forward()).toMatchObject({
      breaker: { state: "open", failures: 5, probeAt: expect.any(String) },
      pending: 6,
    });
    expect(destination.attempts).toHaveLength(5);
    expect(service!.log.text).toMatch(
      /"destination":"forward",[^\n]*"status":500,"msg":"circuit breaker opened"/,
    );

    const paused = await api("POST", "/api/destinations/forward/pause", {
      body: { as: "carol" },
    });
    expect(paused).toMatchObject({
      status: 200,
      json: { paused: true, pausedBy: "carol" },
    });
    await service!.stop();
    destination.answer(reply(200));
    await start({ RETRY_SCHEDULE: "1h" });
    expect(await forward()).toMatchObject({
      paused: true,
      pausedBy: "carol",
      breaker: { state: "closed" },
    });
    await api("POST", "/api/events/redeliver", { body: { state: "pending" } });
    expect(await forward()).toMatchObject({ inFlight: 0, pending: 6 });
    expect(destination.attempts).toHaveLength(5);

    const resumed = await api("POST", "/api/destinations/forward/resume", {
      body: {},
    });
    expect(resumed).toMatchObject({
      status: 200,
      json: { paused: false, pausedBy: null },
    });
    await eventually(() => destination.attempts.length === 11);
    expect(
      (await service!.entries())
        .filter(({ action }) => action.startsWith("destination."))
        .map(({ action, userId, resource, result }) => [
          action,
          userId,
          resource,
          result,
        ]),
    ).toEqual([
      [
        "destination.paused",
        "operator:carol",
        "/destinations/forward",
        "success",
      ],
      [
        "destination.resumed",
        "operator:api",
        "/destinations/forward",
        "success",
      ],
    ]);
    expect(await entriesOf("config.reloaded")).toEqual([]);
    expect((await api("POST", "/api/destinations/unknown/pause")).status).toBe(
      404,
    );
  });

  it("reads older audit trails, in which a pause is config.reloaded", async () => {
    await start();
    await service!.stop();
    const store = await openTestStore(folder.path);
    const at = Date.now();
    await store.setPaused(
      "forward",
      { at, by: "alice" },
      {
        at,
        action: "config.reloaded",
        userId: "operator:alice",
        resource: "/destinations/forward",
        result: "success",
        metadata: { paused: true },
      },
    );
    await store.close();

    await start();
    const found = await api("GET", "/api/audit?action=config.reloaded");
    expect(found.json["entries"]).toMatchObject([
      { userId: "operator:alice", metadata: { paused: true } },
    ]);
    const resumed = await api("POST", "/api/destinations/forward/resume", {
      body: { as: "bob" },
    });
    expect(resumed.json["paused"]).toBe(false);
    expect(await entriesOf("destination.resumed")).toMatchObject([
      { userId: "operator:bob", resource: "/destinations/forward" },
    ]);
    const env = {
      HEX_SECRET: SECRET,
      DATABASE_URL: `sqlite:${storeFileIn(folder.path)}`,
      ...(await storeEnvironment(folder.path)),
    };
    const tail = await hexhook(
      ["audit", "tail", "--action", "config.reloaded"],
      { cwd: folder.path, env },
    );
    expect(tail.stdout).toMatch(
      /config\.reloaded\s+forward\s+paused\s+operator:alice/,
    );
    const verified = await hexhook(["audit", "verify"], {
      cwd: folder.path,
      env,
    });
    expect(verified.code).toBe(0);
  });

  it("pauses a destination for every process on the store", async () => {
    destination.answer(reply(200));
    const other = await start();
    await start();
    await api("POST", "/api/destinations/forward/pause");
    // The other process reads the pause within a second. Then neither process makes an attempt.
    await eventually(async () => {
      const attempts = destination.attempts.length;
      const body = eventBody(`evt_${attempts}`);
      await other.post(body, signed(body));
      const { deliveries } = (await api("GET", `/api/events/evt_${attempts}`))
        .json as { deliveries: Json[] };
      return (
        deliveries[0]!["state"] === "pending" &&
        other.log.text.includes("destination paused")
      );
    });
    await api("POST", "/api/destinations/forward/resume");
    const { events } = (await api("GET", "/api/events?limit=1000")).json as {
      events: Json[];
    };
    await eventually(() => new Set(destination.ids()).size === events.length);
    expect(other.log.text).toContain("destination paused");
    await other.stop();
  });

  it("reports deliveries to a destination that is no longer configured", async () => {
    await start({ RETRY_SCHEDULE: "1h" });
    await post("evt_1");
    await eventually(() => destination.attempts.length === 1);
    await service!.stop();
    await start({ FORWARD_URL: "" });
    expect(service!.log.text).toContain("pending for a removed destination");
    const { json } = await api("GET", "/api/destinations");
    expect(json["destinations"]).toMatchObject([
      { name: "forward", configured: false, breaker: null, pending: 1 },
    ]);
  });
});
