import { beforeEach, describe, expect, it } from "@jest/globals";
import path from "node:path";
import type { Environment } from "../../src/config/load-config.ts";
import { reply, startDestination } from "../support/destinations.ts";
import { eventually } from "../support/eventually.ts";
import { eventBody, OTHER_SECRET, signed } from "../support/fixtures.ts";
import { type ManualClocks, manualClocks } from "../support/manual-clocks.ts";
import { noHandlers } from "../support/no-handlers.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { readColumn } from "../support/store-file.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/* A service whose wall clock is set while it runs, or between two runs. */

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

let folder: string;
let clocks: ManualClocks;

beforeEach(() => {
  folder = temporaryFolder().path;
  clocks = manualClocks();
});

const start = (env: Environment = {}): Promise<TestService> =>
  startTestService(folder, {
    env: { AUDIT_STDOUT: "off", HANDLERS: noHandlers(folder), ...env },
    deps: {
      now: clocks.now,
      monotonic: clocks.monotonic,
      random: () => 0.5,
    },
  });

const column = (sql: string): unknown[] =>
  readColumn(path.join(folder, "hexhook.db"), sql);

async function post(service: TestService, id: string): Promise<void> {
  const body = eventBody(id);
  const answer = await service.post(body, signed(body, { at: clocks.now() }));
  expect(answer.json).toMatchObject({ status: "accepted" });
}

describe("a wall clock that is set back by an hour", () => {
  it("delays neither probes of an open breaker, nor retries, nor new events", async () => {
    const target = await startDestination(reply(500));
    const service = await start({
      FORWARD_URL: target.url,
      RETRY_SCHEDULE: "5s,5s",
    });
    const failed = async () =>
      (await service.entries()).filter(
        ({ action }) => action === "delivery.failed",
      );
    for (let n = 1; n <= 5; n += 1) {
      await post(service, `evt_${n}`);
      await eventually(async () => (await failed()).length === n);
    }
    expect(service.log.text).toContain("circuit breaker opened");
    clocks.step(-HOUR_MS);
    target.answer(reply(200));
    await post(service, "evt_after");
    expect(target.attempts).toHaveLength(5);
    clocks.pass(5000);
    await eventually(() => target.attempts.length === 11);
    expect(service.log.text).toContain("circuit breaker closed");
    // The closed breaker delivers at once.
    await post(service, "evt_last");
    await eventually(() => target.ids().includes("evt_last"));
  });

  it("does not change the waits of retries, and shows their times by the new clock", async () => {
    const target = await startDestination(reply(500));
    const service = await start({
      FORWARD_URL: target.url,
      RETRY_SCHEDULE: "5s,10s",
    });
    await post(service, "evt_1");
    const failed = async () =>
      (await service.entries()).filter(
        ({ action }) => action === "delivery.failed",
      );
    await eventually(async () => (await failed()).length === 1);
    clocks.step(-HOUR_MS);
    clocks.pass(5000);
    await eventually(async () => (await failed()).length === 2);
    const { timestamp, metadata } = (await failed())[1]!;
    expect(Date.parse(timestamp)).toBe(clocks.now());
    expect(Date.parse(String(metadata["nextAttemptAt"]))).toBe(
      clocks.now() + 10_000,
    );
    clocks.pass(10_000);
    await eventually(() => target.attempts.length === 3);
  });

  it("moves the replay window to the time of the new clock", async () => {
    const service = await start();
    const body = eventBody("evt_1");
    const before = signed(body, { at: clocks.now() });
    clocks.step(-HOUR_MS);
    expect((await service.post(body, before)).status).toBe(401);
    expect(await service.lastEntry()).toMatchObject({
      metadata: { reason: "future_timestamp" },
    });
    await post(service, "evt_1");
  });
});

describe("a wall clock that is set ahead", () => {
  it("does not reset the rate limit of rejections", async () => {
    const service = await start();
    const body = eventBody("evt_forged");
    const forge = async (): Promise<number> => {
      const headers = signed(body, { secret: OTHER_SECRET, at: clocks.now() });
      return (await service.post(body, headers)).status;
    };
    for (let n = 0; n < 600; n += 1) {
      expect(await forge()).toBe(401);
    }
    expect(await forge()).toBe(429);
    clocks.step(HOUR_MS);
    expect(await forge()).toBe(429);
    clocks.pass(1000);
    expect(await forge()).toBe(401);
  });
});

describe("a restart with a clock that was set back", () => {
  it("makes retries due after at most the longest wait, and delivers new events at once", async () => {
    const target = await startDestination(reply(500));
    const env = { FORWARD_URL: target.url, RETRY_SCHEDULE: "1s,12h" };
    const first = await start(env);
    await post(first, "evt_1");
    const attempts = () => column("SELECT count(*) FROM attempt")[0];
    await eventually(() => attempts() === 1);
    clocks.pass(1000);
    await eventually(() => attempts() === 2);
    await first.stop();

    clocks.step(-40 * DAY_MS);
    target.answer(reply(200));
    const second = await start(env);
    const dueAt = () => column("SELECT due_at FROM delivery WHERE id = 1")[0];
    const longest = 1.2 * 12 * HOUR_MS;
    await eventually(() => Number(dueAt()) <= clocks.now() + longest);
    expect(dueAt()).toBe(clocks.now() + longest);
    await post(second, "evt_2");
    await eventually(() => target.attempts.length === 3);
    clocks.pass(longest);
    await eventually(() => target.attempts.length === 4);
    expect(target.ids()).toEqual(["evt_1", "evt_1", "evt_2", "evt_1"]);
  });
});
