import { describe, expect, it } from "@jest/globals";
import { migratePostgres } from "../../../src/store/postgres/migrate.ts";
import { openPostgresReader } from "../../../src/store/postgres/reader.ts";
import { cleanUp } from "../../support/cleanup.ts";
import { eventually } from "../../support/eventually.ts";
import { createDatabase, postgresUrl, runSql } from "../../support/postgres.ts";
import { createDay } from "../../support/postgres-tables.ts";

async function start() {
  const url = await createDatabase();
  await migratePostgres(postgresUrl(url));
  await createDay(url, "audit_entry", 7);
  const insert = () =>
    runSql(
      url,
      `INSERT INTO audit_entry (day, position, writer, seq, line)
       VALUES (7, nextval('audit_position'), 'w', 1, '{}')`,
    );
  const open = async (snapshot: boolean) => {
    const reader = await openPostgresReader(postgresUrl(url), { snapshot });
    cleanUp(() => reader.close());
    return {
      ...reader,
      count: async () => (await reader.readAudit(0, 10)).length,
    };
  };
  return { url, insert, open };
}

describe("a reader of a PostgreSQL store", () => {
  it("sees later entries, but not in a snapshot", async () => {
    const { insert, open } = await start();
    await insert();
    const [following, snapshot] = [await open(false), await open(true)];
    expect(await snapshot.count()).toBe(1);
    await insert();
    expect(await following.count()).toBe(2);
    expect(await snapshot.count()).toBe(1);
  });

  it("runs reads at once one after another", async () => {
    const { insert, open } = await start();
    await insert();
    const reader = await open(false);
    const reads = Array.from({ length: 5 }, () => reader.count());
    expect(await Promise.all(reads)).toEqual([1, 1, 1, 1, 1]);
    expect(await reader.countDeliveries()).toEqual([]);
    expect(await reader.pausedDestinations()).toEqual([]);
    expect(await reader.processStatuses()).toEqual([]);
    expect(await reader.findEvents("evt_1")).toEqual([]);
    expect(await reader.digestEvents([{ source: "s", id: "i" }])).toEqual([
      null,
    ]);
  });

  it("connects again after its connection was lost; a snapshot cannot", async () => {
    const { url, insert, open } = await start();
    await insert();
    const [following, snapshot] = [await open(false), await open(true)];
    await runSql(
      url,
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hexhook'",
    );
    await eventually(() =>
      following.count().then(
        (count) => count === 1,
        () => false,
      ),
    );
    await expect(snapshot.count()).rejects.toMatchObject({
      code: "POSTGRES_UNREACHABLE",
    });
    await expect(snapshot.count()).rejects.toMatchObject({
      code: "POSTGRES_UNREACHABLE",
    });
  });

  it("needs a store", async () => {
    const url = await createDatabase();
    await expect(
      openPostgresReader(postgresUrl(url), { snapshot: false }),
    ).rejects.toMatchObject({
      code: "STORE_MISSING",
      message: expect.stringMatching(
        /^127\.0\.0\.1:\d+\/\w+: the database has no store: start `hexhook serve` once/,
      ),
    });
  });
});
