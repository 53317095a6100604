import { describe, expect, it } from "@jest/globals";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { connect } from "../../../src/store/postgres/connection.ts";
import { migratePostgres } from "../../../src/store/postgres/migrate.ts";
import {
  requireKnownServer,
  requireSafeSettings,
  requireUsableServer,
  waitsForStandby,
} from "../../../src/store/postgres/server-check.ts";
import { cleanUp } from "../../support/cleanup.ts";
import { startPooler } from "../../support/postgres-pooler.ts";
import {
  createDatabase,
  postgresUrl,
  runSql,
  startOwnServer,
} from "../../support/postgres.ts";

const check = (url: string): Promise<void> =>
  requireUsableServer(postgresUrl(url));

describe("a server of PostgreSQL", () => {
  it("with the usual settings is accepted, and a store is created", async () => {
    const url = await createDatabase();
    await migratePostgres(postgresUrl(url));
    await expect(check(url)).resolves.toBeUndefined();
  });

  it.each(["fsync", "full_page_writes", "synchronous_commit"])(
    "with %s = off is refused",
    async (setting) => {
      const server = await startOwnServer({ [setting]: "off" });
      const url = server.url();
      await expect(migratePostgres(postgresUrl(url))).rejects.toMatchObject({
        code: "POSTGRES_NOT_DURABLE",
        message: `127.0.0.1:${server.port}/postgres: the setting ${setting} lets PostgreSQL lose acknowledged events: set it to on`,
      });
    },
  );

  it("that commits without its standbys is refused, also if only this database does", async () => {
    const url = await createDatabase();
    const { database } = postgresUrl(url);
    await runSql(
      url,
      `ALTER DATABASE ${database} SET synchronous_commit = local`,
    );
    await expect(check(url)).rejects.toThrow("synchronous_commit");
  });

  it("cannot be made to lose commits while the service runs", async () => {
    const url = await createDatabase();
    const connection = await connect(postgresUrl(url));
    cleanUp(() => connection.close());
    const { database } = postgresUrl(url);
    await runSql(
      url,
      `ALTER DATABASE ${database} SET synchronous_commit = off`,
    );
    const later = await connect(postgresUrl(url));
    cleanUp(() => later.close());
    const show = { name: "", text: "SHOW synchronous_commit" };
    expect(await later.query(show)).toEqual([{ synchronous_commit: "on" }]);
  });

  it("that is a standby is refused", async () => {
    const server = await startOwnServer();
    await server.stop();
    writeFileSync(path.join(server.folder, "data", "standby.signal"), "");
    await server.start();
    await expect(check(server.url())).rejects.toMatchObject({
      code: "POSTGRES_STANDBY",
      message: expect.stringMatching(
        /standby, which cannot be written: set DATABASE_URL to the primary$/,
      ),
    });
  });

  it("with another encoding is refused", async () => {
    const url = await createDatabase();
    const name = `${postgresUrl(url).database}_ascii`;
    await runSql(
      url,
      `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'SQL_ASCII'`,
    );
    cleanUp(() => runSql(url, `DROP DATABASE ${name}`));
    await expect(check(`${url}_ascii`)).rejects.toMatchObject({
      code: "POSTGRES_ENCODING",
      message: expect.stringContaining("the encoding SQL_ASCII"),
    });
  });

  it("with an unlogged table of the store is refused", async () => {
    const url = await createDatabase();
    await migratePostgres(postgresUrl(url));
    await runSql(url, "CREATE UNLOGGED TABLE others (n integer)");
    await check(url);
    await runSql(url, "ALTER TABLE event_id_7 SET UNLOGGED");
    await expect(check(url)).rejects.toMatchObject({
      code: "POSTGRES_NOT_DURABLE",
      message: expect.stringMatching(
        /the table event_id_7 is unlogged, .*: run ALTER TABLE event_id_7 SET LOGGED$/,
      ),
    });
  });

  it("that may not be used is reported with what to do", async () => {
    const url = await createDatabase();
    await runSql(url, "CREATE ROLE guest LOGIN");
    cleanUp(() => runSql(url, "DROP ROLE guest"));
    await expect(
      migratePostgres({ ...postgresUrl(url), user: "guest" }),
    ).rejects.toMatchObject({
      code: "42501",
      message: expect.stringContaining("let the user own the database"),
    });
    await expect(
      migratePostgres({ ...postgresUrl(url), database: "none" }),
    ).rejects.toMatchObject({
      code: "3D000",
      message: expect.stringContaining(
        "/none: PostgreSQL (3D000): the database does not exist: create it",
      ),
    });
  });

  it("tells whether commits wait for a standby", async () => {
    const url = await createDatabase();
    expect(await waitsForStandby(postgresUrl(url))).toBe(false);
    const server = await startOwnServer({ synchronous_standby_names: "*" });
    expect(await waitsForStandby(postgresUrl(server.url()))).toBe(true);
  });

  it("is refused behind a pooler that shares its sessions", async () => {
    const url = postgresUrl(await createDatabase());
    const port = await startPooler(url);
    await expect(requireUsableServer({ ...url, port })).rejects.toMatchObject({
      code: "POSTGRES_POOLER",
    });
  });
});

describe("a server that is not PostgreSQL 15 or newer", () => {
  it.each([
    ["CockroachDB CCL v25.2.1 (x86_64-pc-linux-gnu)", "CockroachDB"],
    ["PostgreSQL 15.2-YB-2025.1.0.0-b0 on x86_64-pc-linux-gnu", "YugabyteDB"],
    ["PostgreSQL 8.0.2 on i686, Redshift 1.0.75", "Amazon Redshift"],
  ])("is refused by name: %s", (version, name) => {
    expect(() => {
      requireKnownServer(version);
    }).toThrow(
      `the server is ${name}, which lacks features that Hexhook needs: use PostgreSQL 15 or newer`,
    );
  });

  it("is refused by its host name: Aurora DSQL", async () => {
    const url = postgresUrl(await createDatabase());
    expect(() => {
      requireKnownServer("PostgreSQL 18.1 on x86_64-pc-linux-gnu");
    }).not.toThrow();
    await expect(
      requireUsableServer({
        ...url,
        host: "abc.dsql.us-east-1.on.aws",
      }),
    ).rejects.toThrow("the server is Aurora DSQL");
  });

  it("is refused by its version", () => {
    const facts = {
      version: "PostgreSQL 14.9",
      versionNumber: 140_009,
      isStandby: false,
      encoding: "UTF8",
      fsync: "on",
      fullPageWrites: "on",
      synchronousCommit: "on",
      synchronousStandbys: "",
    };
    expect(() => {
      requireSafeSettings(facts);
    }).toThrow("the server is PostgreSQL 14: use PostgreSQL 15 or newer");
    expect(() => {
      requireSafeSettings({ ...facts, versionNumber: 150_000 });
    }).not.toThrow();
  });
});

describe("the probes of features", () => {
  it("find out that a server lacks one", async () => {
    const url = await createDatabase();
    await runSql(url, "DROP EXTENSION plpgsql");
    await expect(check(url)).rejects.toMatchObject({
      code: "POSTGRES_UNSUPPORTED",
      message: expect.stringMatching(
        /the server has no PL\/pgSQL \(42704\): use PostgreSQL 15 or newer$/,
      ),
    });
  });

  it("need no permission for temporary tables", async () => {
    const url = await createDatabase();
    const { database } = postgresUrl(url);
    await runSql(url, `REVOKE TEMPORARY ON DATABASE ${database} FROM PUBLIC`);
    await runSql(url, "CREATE ROLE guest LOGIN");
    cleanUp(() => runSql(url, "DROP ROLE guest"));
    await expect(
      requireUsableServer({ ...postgresUrl(url), user: "guest" }),
    ).resolves.toBeUndefined();
  });
});
