import { beforeEach, describe, expect, it } from "@jest/globals";
import path from "node:path";
import { eventually } from "../support/eventually.ts";
import { eventBody, signed } from "../support/fixtures.ts";
import { type ManualClocks, manualClocks } from "../support/manual-clocks.ts";
import { manualTime, type ManualTime } from "../support/manual-time.ts";
import { noHandlers } from "../support/no-handlers.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { readColumn } from "../support/store-file.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/* Nothing is purged after the clock was found ahead. Each store has an old event with its replay claim and audit entries. */

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const WARNING = "purges held for 24 h";

let folder: string;
let clocks: ManualClocks;
let time: ManualTime;
let firstSecond: number;
let sweeps = 0;

beforeEach(() => {
  folder = temporaryFolder().path;
  clocks = manualClocks();
  time = manualTime();
  firstSecond = Math.floor(clocks.now() / 1000);
});

const start = (): Promise<TestService> =>
  startTestService(folder, {
    env: {
      AUDIT_STDOUT: "off",
      HANDLERS: noHandlers(folder),
      EVENT_RETENTION_DAYS: "30",
      AUDIT_RETENTION_DAYS: "30",
    },
    deps: { now: clocks.now, monotonic: clocks.monotonic },
  });

async function post(service: TestService, id: string): Promise<unknown> {
  const body = eventBody(id);
  const answer = await service.post(body, signed(body, { at: clocks.now() }));
  return answer.json["status"];
}

/** Sends an old event, a retry of it, which has a replay claim, and the newest event, which is never purged. */
async function receive(service: TestService): Promise<void> {
  expect(await post(service, "evt_old")).toBe("accepted");
  clocks.pass(1000);
  expect(await post(service, "evt_old")).toBe("duplicate");
  expect(await post(service, "evt_newest")).toBe("accepted");
}

const warnings = ({ log }: TestService): number =>
  log.text.split(WARNING).length - 1;

/** Returns the number of claims from before the clock was set. */
const oldClaims = (): unknown =>
  readColumn(
    path.join(folder, "hexhook.db"),
    `SELECT count(*) FROM replay_claim WHERE signed_at <= ${firstSecond + 1}`,
  )[0];

const purges = async (service: TestService): Promise<string[]> =>
  (await service.entries())
    .filter(({ action }) => action === "retention.purged")
    .map(({ resource }) => resource);

/** Starts the recurring work of a second and a minute. It is done when the events are stored. */
async function sweep(service: TestService): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) {
    time.advance(60_000);
    expect(await post(service, `evt_${(sweeps += 1)}`)).toBe("accepted");
  }
}

async function expectNothingPurged(service: TestService): Promise<void> {
  await sweep(service);
  expect(await purges(service)).toEqual([]);
  expect(oldClaims()).toBe(1);
  expect(warnings(service)).toBe(1);
}

/** Expects purges only after a day of uptime. */
async function expectHeldForADay(service: TestService): Promise<void> {
  await expectNothingPurged(service);
  // A retry of the sender.
  expect(await post(service, "evt_old")).toBe("duplicate");
  clocks.pass(DAY_MS - 1);
  await expectNothingPurged(service);
  clocks.pass(1);
  await time.passMinutesUntil(async () =>
    (await purges(service)).includes("/events"),
  );
  await time.passMinutesUntil(() => oldClaims() === 0);
  expect(await post(service, "evt_old")).toBe("accepted");
}

describe("purges are held for a day of uptime", () => {
  it("when a start finds the clock 40 days ahead", async () => {
    const first = await start();
    await receive(first);
    await first.stop();
    clocks.step(40 * DAY_MS);
    const second = await start();
    await expectHeldForADay(second);
    await time.passMinutesUntil(async () =>
      (await purges(second)).includes("/audit"),
    );
  });

  it("when the clock jumps ahead while the service runs", async () => {
    const service = await start();
    await receive(service);
    clocks.step(40 * DAY_MS);
    await expectHeldForADay(service);
  });

  it("when a clock that was set back jumps ahead again", async () => {
    const service = await start();
    await receive(service);
    clocks.pass(40 * DAY_MS);
    clocks.step(-40 * DAY_MS);
    await sweep(service);
    clocks.step(40 * DAY_MS);
    await expectHeldForADay(service);
  });
});

describe("purges are not held", () => {
  it("when a start is within an hour of the newest stored time", async () => {
    const first = await start();
    await receive(first);
    clocks.pass(40 * DAY_MS);
    // No purge runs, because only the clock moves.
    expect(await post(first, "evt_later")).toBe("accepted");
    await first.stop();
    clocks.pass(HOUR_MS);
    const second = await start();
    await eventually(async () => (await purges(second)).includes("/events"));
    expect(warnings(second)).toBe(0);
  });

  it("when the clock is set ahead by an hour or less", async () => {
    const service = await start();
    await receive(service);
    clocks.pass(40 * DAY_MS);
    clocks.step(HOUR_MS);
    await time.passMinutesUntil(async () =>
      (await purges(service)).includes("/events"),
    );
    expect(warnings(service)).toBe(0);
  });
});
