import { describe, expect, it } from "@jest/globals";
import { migratePostgres } from "../../../src/store/postgres/migrate.ts";
import { createPartitions } from "../../../src/store/postgres/partitions.ts";
import { createPool } from "../../../src/store/postgres/pool.ts";
import { cleanUp } from "../../support/cleanup.ts";
import { eventually } from "../../support/eventually.ts";
import {
  createDatabase,
  openConnection,
  postgresUrl,
  runSql,
} from "../../support/postgres.ts";

async function start() {
  const url = await createDatabase();
  await migratePostgres(postgresUrl(url));
  const pool = createPool(postgresUrl(url), 4);
  cleanUp(() => pool.close());
  const create = () => createPartitions(postgresUrl(url), pool);
  /** Stores one audit entry of a day. */
  const insert = (day: number) =>
    pool.execute(
      {
        name: "insert",
        text: "INSERT INTO audit_entry (day, position, writer, seq, line) VALUES ($1, nextval('audit_position'), 'w', 1, '')",
      },
      [day],
    );
  const days = () => runSql(url, "SELECT day FROM audit_entry ORDER BY day");
  return { url, pool, create, insert, days };
}

describe("partitions", () => {
  it("are created once by several processes at once", async () => {
    const { create, insert, days } = await start();
    const all = Array.from({ length: 5 }, create);
    await Promise.all(all.map((one) => one.ensure("audit_entry", [7, 8, 7])));
    await insert(7);
    await insert(8);
    expect(await days()).toEqual([{ day: 7 }, { day: 8 }]);
    expect(await create().list("audit_entry")).toEqual([7, 8]);
  });

  it("are created for the next days and hours", async () => {
    const { create } = await start();
    const partitions = create();
    await partitions.ahead(Date.UTC(1970, 0, 11));
    expect(await partitions.list("event")).toEqual([10, 11, 12, 13]);
    expect(await partitions.list("audit_entry")).toEqual([10, 11, 12, 13]);
    const hours = await partitions.list("replay_claim");
    expect([hours.length, hours[0], hours.at(-1)]).toEqual([13, 240, 252]);
  });

  it("that another process has dropped are missed once, and then created again", async () => {
    const { create, insert, days } = await start();
    const [first, second] = [create(), create()];
    await first.ensure("audit_entry", [7]);
    await insert(7);
    await second.drop("audit_entry", 7);
    expect(await days()).toEqual([]);
    await first.ensure("audit_entry", [7]);
    const error = await insert(7).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "23514" });
    first.forget();
    await first.ensure("audit_entry", [7]);
    await insert(7);
    expect(await days()).toEqual([{ day: 7 }]);
  });

  it("can be created and dropped while transactions write to others", async () => {
    const { url, create, insert, days } = await start();
    const partitions = create();
    await partitions.ensure("audit_entry", [7, 8]);
    await insert(7);
    const writer = await openConnection(url);
    await writer.query("BEGIN");
    await writer.query(
      "INSERT INTO audit_entry (day, position, writer, seq, line) VALUES (8, 100, 'w', 2, '')",
    );
    await partitions.ensure("audit_entry", [9]);
    const dropped = partitions.drop("audit_entry", 7);
    // The dropping waits for the writer, and does not block others.
    await eventually(async () => (await days()).length === 0);
    await insert(8);
    await writer.query("COMMIT");
    await dropped;
    expect(await partitions.list("audit_entry")).toEqual([8, 9]);
    expect(await days()).toEqual([{ day: 8 }, { day: 8 }]);
  });

  it("are dropped by the next call when the first was interrupted", async () => {
    const { url, create } = await start();
    const partitions = create();
    await partitions.ensure("event", [7, 8]);
    const reader = await openConnection(url);
    await reader.query("BEGIN");
    await reader.query("SELECT FROM event");
    const dropped = partitions
      .drop("event", 7)
      .catch((error: unknown) => error);
    await eventually(async () => {
      const [row] = await runSql(
        url,
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE query LIKE '%DETACH%' AND pid <> pg_backend_pid() AND wait_event_type = 'Lock'`,
      );
      return row !== undefined;
    });
    expect(await dropped).toMatchObject({ code: "POSTGRES_UNREACHABLE" });
    await reader.query("COMMIT");
    // A process that died between detaching and dropping.
    await runSql(url, "ALTER TABLE attempt DETACH PARTITION attempt_d7");
    await partitions.drop("event", 7);
    expect(await partitions.list("event")).toEqual([8]);
    await partitions.ensure("event", [7]);
    expect(await partitions.list("event")).toEqual([7, 8]);
  });
});
