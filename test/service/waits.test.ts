import { beforeEach, describe, expect, it } from "@jest/globals";
import { ADMIN_TOKEN, callAdmin, type Json } from "../support/admin-client.ts";
import { configFiles } from "../support/config-file.ts";
import {
  hang,
  reply,
  startDestination,
  type TestDestination,
} from "../support/destinations.ts";
import { eventually } from "../support/eventually.ts";
import { eventBody } from "../support/fixtures.ts";
import { hexhook } from "../support/hexhook.ts";
import { noHandlers } from "../support/no-handlers.ts";
import { openTestStore } from "../support/open-test-store.ts";
import { freePort } from "../support/processes.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { recordOf } from "../support/stores.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { publishedState } from "../support/published-state.ts";

let folder: string;
let destination: TestDestination;
let service: TestService;

beforeEach(async () => {
  folder = temporaryFolder().path;
  destination = await startDestination(reply(500));
});

const { configFile } = configFiles(() => folder);

async function start(options: object = {}): Promise<void> {
  const destinations = { ci: { url: destination.url, ...options } };
  service = await startTestService(folder, {
    env: {
      HANDLERS: noHandlers(folder),
      HEXHOOK_CONFIG: configFile(JSON.stringify({ destinations })),
      ADMIN_PORT: String(await freePort()),
      ADMIN_TOKEN,
      RETRY_SCHEDULE: "1h",
      SHUTDOWN_SECONDS: "1",
    },
    deps: { intervals: { status: 20 } },
  });
}

const post = async (id: string): Promise<void> => {
  expect((await service.post(eventBody(id))).status).toBe(200);
};

const show = async (id: string): Promise<Json> => {
  const { json } = await callAdmin(service, "GET", `/api/events/${id}`);
  return (json["deliveries"] as Json[])[0]!;
};

/** Returns what the delivery of an event waits for, once the API and the command agree. */
async function waitsFor(id: string): Promise<[unknown, string]> {
  const { json } = await callAdmin(service, "GET", "/api/events");
  const events = json["events"] as Json[];
  const event = events.find((one) => one["id"] === id)!;
  const [delivery] = event["deliveries"] as Json[];
  const env = { DATABASE_URL: "sqlite:hexhook.db" };
  const list = async (...args: string[]) => {
    const options = { cwd: folder, env };
    return (await hexhook(["events", "list", ...args], options)).stdout;
  };
  // The process publishes its state with a delay.
  await eventually(async () => {
    const lines = (await list("--json")).trim().split("\n");
    const listed = lines
      .map((line) => JSON.parse(line) as Json)
      .find((one) => one["id"] === id)!;
    const [same] = listed["deliveries"] as Json[];
    return same!["waitsFor"] === delivery!["waitsFor"];
  });
  const text = await list();
  const line = text
    .split("\n")
    .at(text.split("\n").findIndex((l) => l.includes(` ${id} `)) + 1)!;
  return [delivery!["waitsFor"], line.replace(/^.*?\d attempts?,? ?/, "")];
}

describe("a pending delivery", () => {
  it("waits for its retry or for the circuit breaker", async () => {
    await start();
    for (let n = 0; n < 5; n += 1) {
      await post(`evt_${n}`);
      await eventually(
        async () => (await show(`evt_${n}`))["waitsFor"] === "retry",
      );
    }
    await post("evt_5");
    expect(await waitsFor("evt_0")).toEqual([
      "retry",
      expect.stringMatching(/^next \d{4}-/),
    ]);
    expect(await waitsFor("evt_5")).toEqual([
      "breaker_open",
      "circuit breaker open",
    ]);
  });

  it("waits for its attempt in flight, for another delivery of its key, then for the end of a pause", async () => {
    destination.answer(hang);
    await start({ orderBy: "/data/n" });
    await post("evt_1");
    await eventually(() => destination.attempts.length === 1);
    await post("evt_2");
    expect(await waitsFor("evt_1")).toEqual(["in_flight", "attempt in flight"]);
    expect(await waitsFor("evt_2")).toEqual([
      "order",
      "waits for another delivery of its order key",
    ]);
    await callAdmin(service, "POST", "/api/destinations/ci/pause");
    expect(await waitsFor("evt_2")).toEqual(["paused", "paused by api"]);
    expect((await show("evt_2"))["waitsFor"]).toBe("paused");
  });

  it.each([
    ["rate limit reached", { isRateLimited: true }, 0],
    ["circuit breaker open", { breaker: "half-open" }, 9_000],
    ["due", { isRateLimited: true, breaker: "open" }, 11_000],
    ["due", {}, 0],
  ] as const)(
    "waits for the published reason: %s by %j, published %d ms ago",
    async (text, published, ageMs) => {
      const store = await openTestStore(folder, {
        now: () => Date.now() - ageMs,
      });
      await store.record(recordOf("evt_1", { destinations: ["ci"] }));
      await store.publishStatus(
        publishedState([
          {
            name: "ci",
            kind: "http",
            sources: ["hex"],
            events: ["*"],
            orderBy: null,
            breaker: "closed",
            probeAt: null,
            isRateLimited: false,
            ...published,
          },
        ]),
      );
      await store.close();
      const { stdout } = await hexhook(["events", "list"], {
        cwd: folder,
        env: { DATABASE_URL: "sqlite:hexhook.db" },
      });
      expect(stdout).toContain(`ci: pending, 0 attempts, ${text}\n`);
    },
  );

  it("waits for a destination that is no longer configured", async () => {
    await start();
    await post("evt_1");
    await eventually(async () => (await show("evt_1"))["waitsFor"] === "retry");
    await service.stop();
    destination.answer(reply(200));
    const { url } = destination;
    service = await startTestService(folder, {
      env: {
        HANDLERS: noHandlers(folder),
        FORWARD_URL: url,
        ADMIN_PORT: String(await freePort()),
        ADMIN_TOKEN,
      },
    });
    expect(await waitsFor("evt_1")).toEqual([
      "destination_gone",
      "destination not configured in the service",
    ]);
    await post("evt_2");
    await eventually(
      async () => (await show("evt_2"))["state"] === "succeeded",
    );
    expect((await show("evt_2"))["waitsFor"]).toBeNull();
  });
});
