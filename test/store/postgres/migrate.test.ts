import { describe, expect, it } from "@jest/globals";
import {
  migratePostgres,
  postgresStoreExists,
} from "../../../src/store/postgres/migrate.ts";
import { connect } from "../../../src/store/postgres/connection.ts";
import {
  LATEST,
  requireCurrentSchema,
} from "../../../src/store/postgres/schema-version.ts";
import { cleanUp } from "../../support/cleanup.ts";
import {
  createDatabase,
  openConnection,
  postgresUrl,
  runSql,
} from "../../support/postgres.ts";

/** Checks the schema as the commands that only read do. */
async function check(url: string): Promise<void> {
  const connection = await connect(postgresUrl(url));
  cleanUp(() => connection.close());
  await requireCurrentSchema(connection);
}

describe("the schema in PostgreSQL", () => {
  it("is created once by ten processes that start at once", async () => {
    const url = await createDatabase();
    expect(await postgresStoreExists(postgresUrl(url))).toBe(false);
    const results = await Promise.all(
      Array.from({ length: 10 }, () => migratePostgres(postgresUrl(url))),
    );
    expect(new Set(results.map(({ to }) => to))).toEqual(new Set([LATEST]));
    const versions = "SELECT version FROM schema_version ORDER BY version";
    expect(await runSql(url, versions)).toEqual(
      Array.from({ length: LATEST }, (_, i) => ({ version: i + 1 })),
    );
    expect(await migratePostgres(postgresUrl(url))).toEqual({
      from: LATEST,
      to: LATEST,
    });
    expect(await postgresStoreExists(postgresUrl(url))).toBe(true);
    await check(url);
  });

  it("waits for a migration by another process", async () => {
    const url = await createDatabase();
    const other = await openConnection(url);
    await other.query("SELECT pg_advisory_lock(1212504136, 1)");
    let isDone = false;
    const migrated = migratePostgres(postgresUrl(url)).then((result) => {
      isDone = true;
      return result;
    });
    await expect(
      Promise.race([
        migrated,
        (async () => {
          for (;;) {
            const { rows } = await other.query(
              "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted",
            );
            if (rows.length === 1) {
              return "waits";
            }
          }
        })(),
      ]),
    ).resolves.toBe("waits");
    expect(isDone).toBe(false);
    await other.query("SELECT pg_advisory_unlock_all()");
    expect(await migrated).toEqual({ from: 0, to: LATEST });
  });

  it("is refused when it is missing, older or newer than the program", async () => {
    const url = await createDatabase();
    await expect(check(url)).rejects.toMatchObject({ code: "STORE_MISSING" });
    await migratePostgres(postgresUrl(url));
    const setVersion = async (version: number): Promise<void> => {
      await runSql(url, "DELETE FROM schema_version");
      await runSql(
        url,
        "INSERT INTO schema_version (application, version) VALUES ('hexhook', $1)",
        [version],
      );
    };
    await setVersion(99);
    for (const refused of [check(url), migratePostgres(postgresUrl(url))]) {
      await expect(refused).rejects.toMatchObject({
        code: "SCHEMA_TOO_NEW",
        message: expect.stringContaining(
          `the store has schema version 99, newer than this program's ${LATEST}: install the newer hexhook that wrote it`,
        ),
      });
    }
    await setVersion(-1);
    await expect(check(url)).rejects.toMatchObject({ code: "SCHEMA_TOO_OLD" });
  });

  it.each([
    ["event", "CREATE TABLE event (n integer)"],
    ["schema_version", "CREATE TABLE schema_version (version integer)"],
  ])(
    "is not created beside a table `%s` of another application",
    async (table, create) => {
      const url = await createDatabase();
      await runSql(url, create);
      await expect(migratePostgres(postgresUrl(url))).rejects.toMatchObject({
        code: "STORE_FOREIGN",
        message: expect.stringContaining(
          `: the database has a table \`${table}\` of another application: set DATABASE_URL to an empty database`,
        ),
      });
      expect(
        await runSql(url, "SELECT relname FROM pg_stat_user_tables"),
      ).toEqual([{ relname: table }]);
    },
  );
});
