import { beforeEach, describe, expect, it } from "@jest/globals";
import type { TrailReport } from "../../../src/audit/verify/trail-report.ts";
import type { Store } from "../../../src/store/port.ts";
import {
  DAY,
  type RetainedTrail,
  retainedTrail,
} from "../../support/retention.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import {
  postgresDatabase,
  type TestDatabase,
} from "../../support/test-database.ts";

let database: TestDatabase;
let trail: RetainedTrail;

beforeEach(async () => {
  database = await postgresDatabase();
  trail = retainedTrail(temporaryFolder().path, database.url);
});

async function expectIntact(): Promise<TrailReport> {
  const report = await trail.verify();
  expect(report.writers.flatMap(({ fault }) => fault ?? [])).toEqual([]);
  return report;
}

/** A run that has stopped, and another one that continues a day later. */
async function twoRuns(): Promise<Store> {
  const old = await trail.begin("old");
  await trail.write(old, 60);
  await old.checkpoint();
  await trail.write(old, 5);
  await old.checkpoint();
  await old.close();
  trail.pass(DAY);
  return trail.begin("living");
}

describe("the retention of the trail on PostgreSQL", () => {
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
    expect(entries.at(-1)).toMatchObject({ action: "audit.checkpoint" });
    expect((await expectIntact()).writers[0]).toMatchObject({ firstSeq: 2002 });
    await trail.sweep(store, 10);
    expect(await trail.stored()).toEqual(entries);
  });

  it("deletes all entries of an ended run, and then the partitions of its days", async () => {
    const days = async () =>
      (
        await database.query(
          "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'audit_entry'::regclass",
        )
      ).map(([name]) => Number(/\d+$/.exec(String(name))![0]));
    const store = await twoRuns();
    const today = Math.floor(trail.now() / DAY);
    expect(await days()).toContain(today - 1);
    trail.pass(20 * DAY);
    await trail.sweep(store, 10);
    expect(await trail.writers()).toEqual(["living"]);
    expect(await days()).not.toContain(today - 1);
    expect(await days()).toContain(today);
    await expectIntact();
  });

  it("reports an earlier deletion again when its entry is deleted", async () => {
    const store = await twoRuns();
    for (let n = 0; n < 6; n += 1) {
      trail.pass(4 * DAY);
      await trail.write(store, 30);
      await store.checkpoint();
      await trail.sweep(store, 10);
      await expectIntact();
    }
    expect(await trail.writers()).toEqual(["living"]);
    expect((await trail.stored())[0]!.chain.seq).toBeGreaterThan(10);
  });

  it("keeps entries that a sink has not accepted yet", async () => {
    const store = await twoRuns();
    trail.pass(20 * DAY);
    await trail.sweep(store, 10, 20);
    expect((await trail.stored())[0]!.chain).toMatchObject({
      writer: "old",
      seq: 2,
    });
  });

  it("keeps a run whose lines were changed", async () => {
    const store = await twoRuns();
    await database.execute(
      "UPDATE audit_entry SET line = replace(line, 'source:hex', 'source:hax') WHERE writer = 'old' AND seq = 7",
    );
    trail.pass(20 * DAY);
    await trail.sweep(store, 10);
    expect(trail.changed).toEqual([{ writer: "old", seq: 7 }]);
    expect((await trail.writers())[0]).toBe("old");
  });
});
