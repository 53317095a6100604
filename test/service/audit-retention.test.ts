import { beforeEach, describe, expect, it } from "@jest/globals";
import path from "node:path";
import type { TrailReport } from "../../src/audit/verify/trail-report.ts";
import { manualTime } from "../support/manual-time.ts";
import { eventBody, signed } from "../support/fixtures.ts";
import { noHandlers } from "../support/no-handlers.ts";
import {
  DAY,
  type RetainedTrail,
  retainedTrail,
} from "../support/retention.ts";
import { between, withSeed } from "../support/seeded-random.ts";
import { startTestService } from "../support/service.ts";
import { openFile, readColumn } from "../support/store-file.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** About five times the number of days that are kept. 400 days take half a minute. */
const DAYS = 100;

let folder: ReturnType<typeof temporaryFolder>;
let trail: RetainedTrail;

beforeEach(() => {
  folder = temporaryFolder();
  trail = retainedTrail(folder.path);
});

async function expectIntact(): Promise<TrailReport> {
  const report = await trail.verify();
  expect(report.writers.flatMap(({ fault }) => fault ?? [])).toEqual([]);
  return report;
}

describe("a service", () => {
  it("purges entries that are older than AUDIT_RETENTION_DAYS, and keeps the others", async () => {
    const options = {
      env: {
        AUDIT_RETENTION_DAYS: "10",
        HANDLERS: noHandlers(folder.path),
        AUDIT_FILE: path.join(folder.path, "audit.log"),
      },
      deps: { now: trail.now },
    };
    const accept = async (
      service: Awaited<ReturnType<typeof startTestService>>,
      id: string,
    ): Promise<void> => {
      const body = eventBody(id);
      const headers = signed(body, { at: trail.now() });
      expect((await service.post(body, headers)).status).toBe(200);
    };
    const eventIds = async (): Promise<unknown[]> =>
      (await trail.stored())
        .filter(({ action }) => action === "webhook.accepted")
        .map(({ metadata }) => metadata["eventId"]);
    const purges = async () =>
      (await trail.stored()).filter(
        ({ action, resource }) =>
          action === "retention.purged" && resource === "/audit",
      );

    const time = manualTime();
    const first = await startTestService(folder.path, options);
    await accept(first, "evt_old");
    await first.stop();
    trail.pass(9 * DAY);
    const second = await startTestService(folder.path, options);
    await accept(second, "evt_young");
    expect(await eventIds()).toEqual(["evt_old", "evt_young"]);
    expect(await purges()).toEqual([]);
    await second.stop();

    trail.pass(2 * DAY);
    const third = await startTestService(folder.path, options);
    // A startup this long after the last one purges nothing for a day.
    trail.pass(DAY);
    await time.passMinutesUntil(async () => (await purges()).length > 0);
    expect(await eventIds()).toEqual(["evt_young"]);
    await third.stop();
    await expectIntact();
  });
});

describe("the retention of the trail", () => {
  it("keeps the recent entries of each writer from a signed checkpoint on, and names the deleted ones", async () => {
    const store = await trail.begin("1111");
    await trail.write(store, 2500);
    trail.pass(5 * DAY);
    await trail.write(store, 700);
    trail.pass(6 * DAY);
    await trail.sweep(store, 10);

    const entries = await trail.stored();
    expect(entries[0]).toMatchObject({
      action: "audit.checkpoint",
      chain: { seq: 2002 },
    });
    const reports = entries.filter(
      ({ action }) => action === "retention.purged",
    );
    expect(reports.at(-1)).toMatchObject({
      resource: "/audit",
      metadata: { writers: [{ writer: "1111", seq: 2001 }] },
    });
    // The entry that names the deleted ones is signed itself.
    expect(entries.at(-1)).toMatchObject({ action: "audit.checkpoint" });
    const report = await expectIntact();
    expect(report.writers[0]).toMatchObject({ firstSeq: 2002 });
    await trail.sweep(store, 10);
    expect(await trail.stored()).toEqual(entries);
  });

  it("is the only way to delete old entries undetected", async () => {
    const store = await trail.begin("1111");
    await trail.write(store, 2500);
    trail.pass(11 * DAY);
    await trail.write(store, 1);
    await trail.sweep(store, 10);
    await expectIntact();
    const db = openFile(trail.file);
    db.exec(
      "DELETE FROM audit_entry WHERE position < (SELECT min(position) FROM audit_entry WHERE position > 2100)",
    );
    db.close();
    const { writers } = await trail.verify();
    expect(writers.flatMap(({ fault }) => fault ?? [])).toEqual([
      { code: "missing", writer: "1111", seq: 1 },
    ]);
  });

  it("purges all entries of a dead writer, and never the last ones of a live writer", async () => {
    const dead = await trail.begin("dead");
    await trail.write(dead, 30);
    await dead.close();
    const living = await trail.begin("living");
    trail.pass(1 * DAY);
    const purger = await trail.begin("purger");
    trail.pass(10 * DAY);
    // The live writer has written nothing for a long time, but was seen recently.
    await living.probe();
    await trail.sweep(purger, 10);
    const writers = new Set(
      (await trail.stored()).map(({ chain }) => chain.writer),
    );
    expect([...writers]).toEqual(["living", "purger"]);
    await expectIntact();
    await trail.write(living, 3);
    await living.checkpoint();
    await living.probe();
    await expectIntact();
  });

  it("keeps entries that a sink has not accepted yet", async () => {
    const store = await trail.begin("1111");
    await trail.write(store, 2500);
    const position = await store.lastPosition();
    trail.pass(11 * DAY);
    await trail.write(store, 1);
    await trail.sweep(store, 10, 1500);
    expect((await trail.stored())[0]).toMatchObject({ chain: { seq: 1002 } });
    await trail.sweep(store, 10, position);
    expect((await trail.stored())[0]).toMatchObject({ chain: { seq: 2002 } });
  });

  it("keeps the trail verifiable with restarts, kills, and idle and busy writers at the same time", async () => {
    await withSeed((random) => expectVerifiableOver(DAYS, random));
  });
});

/** Writers start, end, idle and write for the given days, and all except the last 20 days are purged. */
async function expectVerifiableOver(
  days: number,
  random: () => number,
): Promise<void> {
  const below = (limit: number): number => between(random, 0, limit);
  let names = 0;
  /** The day on which each writer ended. */
  const ended = new Map<string, number>();
  const living = ["w1", "w2"];
  const next = () => trail.begin(`w${(names += 1)}`);
  let stores = [await next(), await next()];
  let most = 0;
  for (let day = 0; day < days; day += 1) {
    trail.pass(DAY);
    for (const store of stores) {
      await store.probe();
      if (below(3) === 0) {
        await trail.write(store, below(4) === 0 ? 600 : below(40));
        await store.checkpoint();
        // Entries after the last checkpoint of a killed writer are unsigned.
        await trail.write(store, below(3));
      }
    }
    if (day === 5 || below(5) === 0) {
      const at = below(2);
      await stores[at]!.close();
      ended.set(living[at]!, day);
      stores = stores.with(at, await next());
      living[at] = `w${names}`;
    }
    await trail.sweep(stores[0]!, 20);
    if (day % 10 === 0) {
      await expectIntact();
      most = Math.max(most, (await trail.stored()).length);
    }
  }
  await expectIntact();
  expect(most).toBeLessThan(10_000);
  // Entries about deletions do not fill the trail.
  const reports = (await trail.stored()).filter(
    ({ action }) => action === "retention.purged",
  );
  expect(reports.length).toBeLessThan(80);
  // A writer is forgotten after two deletions, 20 days each: of its entries, and of the entry that names them as deleted.
  const remembered = readColumn(trail.file, "SELECT writer FROM audit_writer");
  const forgotten = [...ended].filter(([, day]) => day < days - 60);
  expect(forgotten.length).toBeGreaterThan(0);
  expect(forgotten.filter(([name]) => remembered.includes(name))).toEqual([]);
}
