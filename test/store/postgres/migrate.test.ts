import { describe, expect, it } from "@jest/globals";
import {
  migratePostgres,
  postgresStoreExists,
} from "../../../src/store/postgres/migrate.ts";
import { connect } from "../../../src/store/postgres/connection.ts";
import {
  CREATE_VERSION_TABLE,
  LATEST,
  MIGRATIONS,
  requireCurrentSchema,
} from "../../../src/store/postgres/schema-version.ts";
import { cleanUp } from "../../support/cleanup.ts";
import { SIGNING_KEY } from "../../support/fixtures.ts";
import {
  createDatabase,
  openConnection,
  postgresUrl,
  runSql,
} from "../../support/postgres.ts";
import { POSTGRES, recordOf } from "../../support/stores.ts";

/** Checks the schema as the commands that only read do. */
async function check(url: string): Promise<void> {
  const connection = await connect(postgresUrl(url));
  cleanUp(() => connection.close());
  await requireCurrentSchema(connection);
}

/** The statements with which a process of version 2 stores an event. */
const oldRecord = (id: string): string => `
  INSERT INTO event (day, seq, source, id, type, received_at, content_type, headers, body_sha256, body)
    VALUES (0, nextval('event_seq'), 'hex', '${id}', 't', 5000, 'application/json', '{}', sha256('{}'), '{}');
  INSERT INTO event_id (source, id, day, seq, body_sha256)
    VALUES ('hex', '${id}', 0, currval('event_seq'), sha256('{}'))`;

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

  it("keeps the data of version 2, and lets processes of that version go on", async () => {
    const url = await createDatabase();
    const connection = await openConnection(url);
    await connection.query(
      [
        CREATE_VERSION_TABLE,
        ...MIGRATIONS.slice(0, 2).map(({ read }) => read()),
        "INSERT INTO schema_version (application, version) VALUES ('hexhook', 1), ('hexhook', 2)",
        ...[
          ["event", "d0", 1],
          ["replay_claim", "h0", 3600],
        ].flatMap(([table, name, to]) => [
          `CREATE TABLE ${table}_${name} (LIKE ${table} INCLUDING ALL)`,
          `ALTER TABLE ${table} ATTACH PARTITION ${table}_${name} FOR VALUES FROM (0) TO (${to})`,
        ]),
        // Its deletion was interrupted.
        "CREATE TABLE event_x9 (LIKE event INCLUDING ALL)",
        ...["known", "timeless"].map(oldRecord),
        "INSERT INTO replay_claim VALUES (1000, sha256('known'), 'hex', 5000)",
        "INSERT INTO timeless_claim VALUES (sha256('timeless'), 'hex', 5000)",
      ].join(";"),
    );
    expect(await migratePostgres(postgresUrl(url))).toEqual({
      from: 2,
      to: LATEST,
    });
    const store = await POSTGRES.open(postgresUrl(url), {
      signingKey: SIGNING_KEY,
      writer: "w",
      now: () => 5000,
      onFatal: (error) => {
        throw error;
      },
      delivers: false,
      poolSize: 4,
    });
    cleanUp(() => store.close());
    const record = async (...how: Parameters<typeof recordOf>) =>
      (await store.record(recordOf(...how))).outcome;

    expect(await record("known")).toBe("replayed");
    expect(await record("timeless", { signedAt: null })).toBe("replayed");
    expect(await record("known", { mac: 1 })).toBe("duplicate");
    expect(await record("new", { idSigned: false })).toBe("accepted");
    expect(
      await runSql(url, "SELECT id_signed FROM event ORDER BY seq"),
    ).toEqual([true, true, false].map((id_signed) => ({ id_signed })));
    await runSql(url, "SELECT id_signed FROM event_x9");

    const oldClaims = (name: string) => [
      `INSERT INTO replay_claim (signed_at, mac, source, claimed_at)
       VALUES (1000, sha256('${name}'), 'hex', 5000) ON CONFLICT DO NOTHING RETURNING 1`,
      `INSERT INTO timeless_claim (mac, source, claimed_at)
       VALUES (sha256('${name}'), 'hex', 5000) ON CONFLICT DO NOTHING RETURNING 1`,
    ];
    await record("also timeless", { signedAt: null, mac: 1 });
    const numberOne = oldClaims("1");
    const later = oldClaims("later");
    for (const [statement, rows] of [
      [numberOne[0], 0],
      [numberOne[1], 0],
      [later[0], 1],
      [later[1], 1],
    ] as const) {
      expect(await runSql(url, statement!)).toHaveLength(rows);
    }
    await connection.query(oldRecord("later"));
    expect(await record("later")).toBe("replayed");
    expect(await record("later", { signedAt: null })).toBe("replayed");
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
