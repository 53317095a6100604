import { expect, it } from "@jest/globals";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { openStore } from "../../src/store/open.ts";
import { ADMIN_TOKEN } from "../support/admin-client.ts";
import { reply, startDestination } from "../support/destinations.ts";
import { eventually } from "../support/eventually.ts";
import { eventBody, SECRET, signed, TODAY } from "../support/fixtures.ts";
import { hexhook, type Result } from "../support/hexhook.ts";
import { noHandlers } from "../support/no-handlers.ts";
import { freePort } from "../support/processes.ts";
import {
  storeEnvironment,
  storeFileIn,
  usePostgres,
} from "../support/service-store.ts";
import { startTestService } from "../support/service.ts";
import { POSTGRES } from "../support/stores.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const AN_HOUR = 3_600_000;

const ALL = "events redeliver --all --destination billing";

interface BackedUp {
  readonly folder: string;
  readonly post: (id: string) => Promise<void>;
  readonly command: (text: string) => Promise<Result>;
  readonly stop: () => Promise<void>;
}

/** Takes a backup while events arrive, and starts a service with it. */
async function backUpUnderLoad(running: BackedUp): Promise<void> {
  const { folder, post, command, stop } = running;
  const load = { sent: 0, isOver: false };
  const senders = [1, 2, 3, 4].map(async (n) => {
    while (!load.isOver) {
      await post(`evt_load_${n}_${(load.sent += 1)}`);
    }
  });
  await eventually(() => load.sent > 20);
  const before = load.sent;
  const backup = path.join(folder, "backup.db");
  expect(await command(`backup ${backup}`)).toMatchObject({
    code: 0,
    stderr: "",
  });
  expect(load.sent).toBeGreaterThan(before);
  load.isOver = true;
  await Promise.all(senders);
  await stop();

  const restored = path.join(folder, "restored");
  mkdirSync(restored);
  copyFileSync(backup, storeFileIn(restored));
  const env = { DATABASE_URL: `sqlite:${storeFileIn(restored)}` };
  const verified = await hexhook(["audit", "verify"], { cwd: restored, env });
  expect(verified).toMatchObject({ code: 0 });
  const again = await startTestService(restored);
  expect((await again.post(eventBody("evt_4"))).json).toMatchObject({
    status: "duplicate",
  });
}

async function expectNoBackup({ folder, command }: BackedUp): Promise<void> {
  const backup = path.join(folder, "backup.db");
  expect(await command(`backup ${backup}`)).toMatchObject({
    code: 64,
    stderr: expect.stringContaining("pg_dump"),
  });
}

/** Unlike those of a service, these stores take the time from the test, also on PostgreSQL. */
const STORES = [
  {
    name: "SQLite",
    open: openStore,
    prepare: async () => undefined,
    backUp: backUpUnderLoad,
  },
  {
    name: "PostgreSQL",
    open: POSTGRES.open,
    prepare: usePostgres,
    backUp: expectNoBackup,
  },
];

it.each(STORES)(
  "an operator sees an outage of an hour, pauses, resumes, redelivers, reads a body and takes a backup ($name)",
  async ({ open, prepare, backUp }) => {
    await prepare();
    const folder = temporaryFolder().path;
    const billing = await startDestination(reply(410));
    const config = path.join(folder, "hexhook.yaml");
    writeFileSync(
      config,
      `destinations:\n  billing: { url: "${billing.url}" }\n`,
    );
    const env = {
      HEX_SECRET: SECRET,
      HEX_SECRET_CREATED_AT: TODAY,
      HEXHOOK_CONFIG: config,
      HANDLERS: noHandlers(folder),
      RETRY_SCHEDULE: "1ms,1h,1h,1h,1h",
      ADMIN_PORT: String(await freePort()),
      ADMIN_TOKEN,
      DATABASE_URL: `sqlite:${storeFileIn(folder)}`,
      ...(await storeEnvironment(folder)),
    };
    let behind = AN_HOUR;
    const now = (): number => Date.now() - behind;
    const service = await startTestService(folder, {
      env,
      deps: {
        now,
        monotonic: () => performance.now(),
        openStore: open,
        intervals: { status: 100 },
      },
    });
    const post = async (id: string): Promise<void> => {
      const body = eventBody(id);
      const { status } = await service.post(body, signed(body, { at: now() }));
      expect(status).toBe(200);
    };
    const command = async (text: string): Promise<Result> =>
      hexhook(text.split(" "), { cwd: folder, env });
    const run = async (text: string): Promise<string> => {
      const { code, stdout, stderr } = await command(text);
      expect([text, code, stderr]).toEqual([text, 0, ""]);
      return stdout;
    };
    const entriesOf = async (action: string) =>
      (await service.entries()).filter((entry) => entry.action === action);
    const countSucceeded = async (): Promise<number> =>
      new Set(
        (await entriesOf("delivery.succeeded")).map(
          ({ metadata }) => metadata["eventId"],
        ),
      ).size;
    const metric = async (name: string): Promise<number | undefined> => {
      const response = await fetch(
        `http://127.0.0.1:${service.adminPort}/metrics`,
      );
      const sample = `${name}{destination="billing"} `;
      const line = (await response.text())
        .split("\n")
        .find((text) => text.startsWith(sample));
      return line === undefined ? undefined : Number(line.slice(sample.length));
    };

    // An hour ago, the destination first rejected two events with 410, and then went down.
    await post("evt_1");
    await post("evt_2");
    await eventually(
      async () => (await entriesOf("delivery.exhausted")).length === 2,
    );
    billing.answer(reply(503));
    await post("evt_3");
    await post("evt_4");
    await post("evt_5");
    await eventually(() => service.log.text.includes("circuit breaker opened"));
    behind = 0;

    // The operator sees it.
    await eventually(async () =>
      /^billing +breaker (?:half-)?open.* 3 +1h +2$/m.test(await run("status")),
    );
    expect(
      await metric("hexhook_delivery_oldest_pending_seconds"),
    ).toBeGreaterThanOrEqual(AN_HOUR / 1000);
    expect(await metric("hexhook_deliveries_pending")).toBe(3);
    expect(await metric("hexhook_destination_breaker_open")).toBe(1);
    expect(JSON.parse(await run("destinations list --json"))).toMatchObject({
      name: "billing",
      pending: 3,
      exhausted: 2,
    });

    // The operator pauses the destination. New events wait.
    await run("destinations pause billing --as alice");
    await eventually(() => service.log.text.includes("destination paused"));
    await eventually(
      async () => (await metric("hexhook_destination_paused")) === 1,
    );
    await post("evt_6");
    expect(await run("events show evt_6")).toContain("paused");
    expect(await run("destinations list")).toContain("alice");
    await eventually(async () => {
      const failed = await entriesOf("delivery.failed");
      const exhausted = await entriesOf("delivery.exhausted");
      return failed.length + exhausted.length === billing.attempts.length;
    });
    expect(billing.ids()).not.toContain("evt_6");

    // The destination works again. The operator resumes it, and does not wait for the schedule of the pending deliveries.
    billing.answer(reply(200));
    await run("destinations resume billing --as alice");
    await run(`${ALL} --state pending --as alice`);
    await eventually(async () => (await countSucceeded()) === 4);
    expect(billing.ids()).toContain("evt_6");

    // What was exhausted is delivered again, after a dry run.
    expect(await run(`${ALL} --since 2h --dry-run`)).toMatch(
      /evt_1[^]*evt_2[^]*2 would be redelivered; nothing was changed/,
    );
    await eventually(
      async () => (await metric("hexhook_deliveries_pending")) === 0,
    );
    expect(await countSucceeded()).toBe(4);
    expect(await run(`${ALL} --since 2h --as alice`)).toContain(
      "2 deliveries redelivered",
    );
    await eventually(async () => (await countSucceeded()) === 6);
    expect(billing.ids().slice(-2).sort()).toEqual(["evt_1", "evt_2"]);
    expect(await command("events list --state exhausted")).toMatchObject({
      code: 0,
      stdout: "",
    });

    // A question about one event: its history, and the bytes that the sender signed.
    expect(await run("events show evt_4")).toMatch(/503[^]*200/);
    expect(await run("events show evt_4 --body --as alice")).toBe(
      eventBody("evt_4").toString("utf8"),
    );

    const ofAlice = (await service.entries()).filter(
      ({ userId, action }) =>
        userId === "operator:alice" && !action.startsWith("server."),
    );
    expect([...new Set(ofAlice.map(({ action }) => action))]).toEqual([
      "destination.paused",
      "destination.resumed",
      "delivery.redelivered",
      "event.read",
    ]);

    await backUp({ folder, post, command, stop: service.stop });
  },
);
