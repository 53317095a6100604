import { beforeEach, describe, expect, it } from "@jest/globals";
import { shownTime } from "../../src/terminal/terminal-text.ts";
import { reply, startDestination } from "../support/destinations.ts";
import { eventually } from "../support/eventually.ts";
import { eventBody } from "../support/fixtures.ts";
import { hexhook } from "../support/hexhook.ts";
import { noHandlers } from "../support/no-handlers.ts";
import { freePort } from "../support/processes.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const TOKEN = "a-token-of-the-management-api-for-tests";
const HOUR = 3_600_000;

let folder: string;
let service: TestService;
let elapsed: number;
let url: string;

beforeEach(() => {
  folder = temporaryFolder().path;
  elapsed = 0;
});

/** Starts a service whose two clocks the test controls. */
async function start(): Promise<void> {
  const begin = Date.now();
  service = await startTestService(folder, {
    env: {
      HANDLERS: noHandlers(folder),
      FORWARD_URL: url,
      RETRY_SCHEDULE: "10ms,10ms,10ms,10ms,10ms,10ms,10ms,10ms,10ms",
      REPLAY_WINDOW_SECONDS: "900",
      ADMIN_HOST: "127.0.0.1",
      ADMIN_PORT: String(await freePort()),
      ADMIN_TOKEN: TOKEN,
    },
    deps: { now: () => begin + elapsed, monotonic: () => elapsed },
  });
}

async function api(path: string, init: RequestInit = {}) {
  const response = await fetch(
    `http://127.0.0.1:${service.adminPort}/api${path}`,
    {
      ...init,
      headers: {
        authorization: `Bearer ${TOKEN}`,
        "content-type": "application/json",
      },
    },
  );
  expect(response.status).toBe(200);
  return (await response.json()) as Record<string, unknown>;
}

const operator = (what: "pause" | "resume") =>
  api(`/destinations/forward/${what}`, {
    method: "POST",
    body: JSON.stringify({ as: "alice" }),
  });

const status = async () =>
  (
    (await api("/destinations"))["destinations"] as Record<string, unknown>[]
  )[0]!;

async function post(id: string): Promise<void> {
  expect((await service.post(eventBody(id))).status).toBe(200);
}

const trail = async () =>
  (await service.entries())
    .filter(({ action }) => action.startsWith("destination."))
    .map(({ action, userId }) => `${action} ${userId}`);

const outcomes = async (action: string) =>
  (await service.entries()).filter((entry) => entry.action === action);

describe("a destination that responds 429 with Retry-After", () => {
  it("gets no attempts for that time, even after a restart, and is audited once", async () => {
    const destination = await startDestination(
      reply(429, { "retry-after": "600" }),
    );
    url = destination.url;
    await start();
    await post("evt_1");
    await eventually(async () => (await outcomes("delivery.failed")).length);
    const [entry] = await outcomes("destination.paused");
    expect(entry).toMatchObject({
      userId: "system",
      resource: "/destinations/forward",
      result: "success",
      metadata: { reason: "retry_after", status: 429 },
    });
    const end = String(entry!.metadata["until"]);
    const until = Date.parse(end);
    expect(until - Date.parse(entry!.timestamp)).toBe(600_000);
    const logged = (): string | undefined =>
      service.log.text
        .split("\n")
        .find((line) => line.includes("destination paused"));
    const pause = { destination: "forward", by: "system", until: end };
    expect(JSON.parse(logged()!)).toMatchObject(pause);
    const { stdout } = await hexhook(["events", "list"], {
      cwd: folder,
      env: { DATABASE_URL: "sqlite:hexhook.db" },
    });
    expect(stdout.replace(/\s+/g, " ")).toContain(
      `paused by system until ${shownTime(until)}`,
    );

    destination.answer(reply(200));
    await post("evt_2");
    elapsed = 300_000;
    await service.stop();
    await start();
    await post("evt_3");
    expect(destination.attempts).toHaveLength(1);
    expect(JSON.parse(logged()!)).toMatchObject(pause);
    expect(await trail()).toEqual(["destination.paused system"]);

    elapsed = 600_001;
    await eventually(() => destination.attempts.length === 4);
    expect(destination.ids().sort()).toEqual([
      "evt_1",
      "evt_1",
      "evt_2",
      "evt_3",
    ]);
    expect(await trail()).toEqual([
      "destination.paused system",
      "destination.resumed system",
    ]);
    const actions = (await service.entries()).map(({ action }) => action);
    expect(actions.indexOf("destination.resumed")).toBeLessThan(
      actions.indexOf("delivery.succeeded"),
    );
  });

  it("shows the end of its pause, at most an hour, until an operator resumes it", async () => {
    const destination = await startDestination(
      reply(503, { "retry-after": "99999999999999999999" }),
    );
    url = destination.url;
    await start();
    expect(await status()).toMatchObject({ paused: false, pausedUntil: null });
    await post("evt_1");
    await eventually(async () => (await trail()).length);
    const shown = await status();
    expect(shown).toMatchObject({ paused: true, pausedBy: "system" });
    expect(
      Date.parse(String(shown["pausedUntil"])) -
        Date.parse(String(shown["pausedAt"])),
    ).toBe(HOUR);
    destination.answer(reply(200));
    await post("evt_2");
    expect(await operator("resume")).toMatchObject({
      paused: false,
      pausedUntil: null,
    });
    await eventually(() => destination.attempts.length === 2);
    expect(destination.ids()).toEqual(["evt_1", "evt_2"]);
    expect(await trail()).toEqual([
      "destination.paused system",
      "destination.resumed operator:alice",
    ]);
  });

  it("stays paused when an operator paused it meanwhile", async () => {
    const destination = await startDestination(
      reply(429, { "retry-after": "60" }),
    );
    url = destination.url;
    await start();
    await post("evt_1");
    await eventually(async () => (await trail()).length);
    destination.answer(reply(200));
    expect(await operator("pause")).toMatchObject({
      paused: true,
      pausedBy: "alice",
      pausedUntil: null,
    });
    elapsed = 120_000;
    await post("evt_2");
    await service.stop();
    await start();
    expect(await status()).toMatchObject({ paused: true, pausedBy: "alice" });
    expect(destination.attempts).toHaveLength(1);
    expect(await operator("resume")).toMatchObject({ paused: false });
    await eventually(() => destination.attempts.length === 3);
    expect(await trail()).toEqual([
      "destination.paused system",
      "destination.paused operator:alice",
      "destination.resumed operator:alice",
    ]);
  });

  it.each([
    ["429", "0"],
    ["429", "Sun, 06 Nov 1994 08:49:37 GMT"],
    ["429", "soon"],
    ["500", "600"],
  ])("is not paused by %s with Retry-After: %s", async (code, retryAfter) => {
    const destination = await startDestination((res, count) => {
      reply(count === 1 ? Number(code) : 200, { "retry-after": retryAfter })(
        res,
        count,
        destination.attempts[0]!,
      );
    });
    url = destination.url;
    await start();
    await post("evt_1");
    await eventually(() => destination.attempts.length > 0);
    await post("evt_2");
    await eventually(() => destination.ids().includes("evt_2"));
    await eventually(async () => (await outcomes("delivery.succeeded")).length);
    expect(await trail()).toEqual([]);
  });
});
