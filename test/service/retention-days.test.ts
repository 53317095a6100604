import { expect, it } from "@jest/globals";
import path from "node:path";
import { eventBody, signed } from "../support/fixtures.ts";
import { eventually } from "../support/eventually.ts";
import { manualTime } from "../support/manual-time.ts";
import { readTrail } from "../support/read-trail.ts";
import { startTestService } from "../support/service.ts";
import { readColumn } from "../support/store-file.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const DAY_MS = 86_400_000;

it("a service keeps events and audit entries for the configured days, and no longer", async () => {
  const folder = temporaryFolder().path;
  const file = path.join(folder, "hexhook.db");
  const time = manualTime();
  const begin = Date.now();
  let at = begin;
  const start = () =>
    startTestService(folder, {
      env: { EVENT_RETENTION_DAYS: "30", AUDIT_RETENTION_DAYS: "60" },
      deps: { now: () => at },
    });
  const acceptedIn = async () =>
    (await readTrail(file))
      .filter(({ action }) => action === "webhook.accepted")
      .map(({ metadata }) => metadata["eventId"]);
  /** Runs a service on a day and sends one event to it. Each run is a separate writer. */
  async function run(day: number): Promise<void> {
    at = begin + day * DAY_MS;
    const service = await start();
    const body = eventBody(`evt_day_${day}`);
    expect((await service.post(body, signed(body, { at }))).status).toBe(200);
    await eventually(() => pending() === 0);
    await service.stop();
  }
  const ids = () => readColumn(file, "SELECT id FROM event ORDER BY seq");
  const pending = () =>
    readColumn(
      file,
      "SELECT count(*) FROM delivery WHERE state = 'pending'",
    )[0];

  await run(0);
  await run(2);
  await run(4);

  /** Starts a service and lets a day pass, because a start long after the last one holds purges for a day. */
  async function startAndPurge(day: number, isPurged: () => Promise<boolean>) {
    at = begin + (day - 1) * DAY_MS;
    const service = await start();
    at += DAY_MS;
    await time.passMinutesUntil(isPurged);
    return service;
  }

  const second = await startAndPurge(
    31,
    async () => !ids().includes("evt_day_0"),
  );
  expect(ids()).toEqual(["evt_day_2", "evt_day_4"]);
  await second.stop();
  expect(await acceptedIn()).toEqual(["evt_day_0", "evt_day_2", "evt_day_4"]);

  const third = await startAndPurge(
    61,
    async () => !(await acceptedIn()).includes("evt_day_0"),
  );
  expect(await acceptedIn()).toEqual(["evt_day_2", "evt_day_4"]);
  await third.stop();
});
