import { describe, expect, it } from "@jest/globals";
import {
  type Connection,
  connect,
} from "../../../src/store/postgres/connection.ts";
import type { ConnectOptions } from "../../../src/store/postgres/connection-options.ts";
import { cleanUp } from "../../support/cleanup.ts";
import { eventually } from "../../support/eventually.ts";
import { freePort } from "../../support/processes.ts";
import {
  createDatabase,
  openConnection,
  postgresUrl,
  startOwnServer,
} from "../../support/postgres.ts";

async function open(
  url: string,
  options: ConnectOptions = {},
): Promise<Connection> {
  const connection = await connect(postgresUrl(url), options);
  cleanUp(() => connection.close());
  return connection;
}

const ONE = { name: "one", text: "SELECT 1 AS n" };

describe("a connection to PostgreSQL", () => {
  it("returns bigint as number and bytea as bytes, and counts changed rows", async () => {
    const sql = await open(await createDatabase());
    const values = {
      name: "values",
      text: "SELECT $1::bigint AS n, $2::bytea AS b, $3::bigint[] AS l, '{}'::bigint[] AS e",
    };
    const bytes = Buffer.from([0, 255, 92]);
    for (let i = 0; i < 2; i += 1) {
      expect(await sql.query(values, [2 ** 52, bytes, [1, 2]])).toEqual([
        { n: 2 ** 52, b: bytes, l: [1, 2], e: [] },
      ]);
    }
    await sql.command("CREATE TABLE t (n integer); INSERT INTO t VALUES (1)");
    const update = { name: "", text: "UPDATE t SET n = n + $1" };
    expect(await sql.execute(update, [1])).toBe(1);
  });

  it("returns the tag of a command: a failed transaction is rolled back", async () => {
    const sql = await open(await createDatabase());
    expect(await sql.command("BEGIN")).toBe("BEGIN");
    expect(sql.isInTransaction()).toBe(true);
    const unknown = { name: "", text: "SELECT * FROM none" };
    await expect(sql.query(unknown)).rejects.toMatchObject({
      name: "StoreError",
      code: "42P01",
      fatal: false,
      message: expect.stringContaining('relation "none" does not exist'),
    });
    expect(await sql.command("COMMIT")).toBe("ROLLBACK");
    expect(sql.isInTransaction()).toBe(false);
    expect(await sql.query(ONE)).toEqual([{ n: 1 }]);
  });

  it("shows no values in an error", async () => {
    const sql = await open(await createDatabase());
    await sql.command("CREATE TABLE t (k text PRIMARY KEY)");
    const insert = { name: "insert", text: "INSERT INTO t VALUES ($1)" };
    await sql.execute(insert, ["s3cret"]);
    const cast = { name: "", text: "SELECT $1::text::bigint" };
    for (const failed of [
      sql.execute(insert, ["s3cret"]),
      sql.query(cast, ["s3cret"]),
    ]) {
      const error = await failed.catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ name: "StoreError" });
      expect(JSON.stringify(error) + String(error)).not.toContain("s3cret");
    }
  });

  it("has timeouts for statements, locks and idle transactions, and commits durably", async () => {
    const url = await createDatabase();
    const sql = await open(url);
    const settings = {
      name: "",
      text: `SELECT name, setting FROM pg_settings WHERE name IN ('application_name', 'statement_timeout', 'lock_timeout',
        'idle_in_transaction_session_timeout', 'synchronous_commit') ORDER BY name`,
    };
    expect(await sql.query(settings)).toEqual([
      { name: "application_name", setting: "hexhook" },
      { name: "idle_in_transaction_session_timeout", setting: "3000" },
      { name: "lock_timeout", setting: "1800" },
      { name: "statement_timeout", setting: "1800" },
      { name: "synchronous_commit", setting: "on" },
    ]);
  });

  it("reports a statement that the server canceled, and stays open", async () => {
    const url = await createDatabase();
    const sql = await open(url, { deadlineMs: 20_000 });
    const holder = await openConnection(url);
    await holder.query("CREATE TABLE t (n integer)");
    await holder.query("BEGIN");
    await holder.query("LOCK TABLE t");
    await sql.command("SET lock_timeout = 50");
    const select = { name: "", text: "SELECT n FROM t" };
    await expect(sql.query(select)).rejects.toMatchObject({
      code: "POSTGRES_TIMEOUT",
    });
    expect(sql.isOpen()).toBe(true);
    await holder.query("ROLLBACK");
  });
});

describe("a server that does not answer", () => {
  it("fails statements, and connections to be opened, within their deadline", async () => {
    const server = await startOwnServer();
    const sql = await open(server.url(), { deadlineMs: 3000 });
    server.pause();
    await expect(sql.query(ONE)).rejects.toMatchObject({
      code: "POSTGRES_TIMEOUT",
    });
    expect(sql.isOpen()).toBe(false);
    await sql.ended;
    await expect(sql.query(ONE)).rejects.toMatchObject({
      code: "POSTGRES_UNREACHABLE",
    });
    await expect(
      connect(postgresUrl(server.url()), { connectMs: 300 }),
    ).rejects.toMatchObject({ code: "POSTGRES_UNREACHABLE" });
    server.resume();
    const again = await open(server.url());
    expect(await again.query(ONE)).toEqual([{ n: 1 }]);
  });

  it("is reported when it is killed, also by an idle connection", async () => {
    const server = await startOwnServer();
    const sql = await open(server.url());
    await server.kill();
    await sql.ended;
    expect(sql.isOpen()).toBe(false);
    await server.start();
    expect(await (await open(server.url())).query(ONE)).toEqual([{ n: 1 }]);
  });

  it("is named in the error, without the password", async () => {
    const port = await freePort();
    const url = {
      ...postgresUrl(`postgres://u@127.0.0.1:${port}/db`),
      password: "s3cret",
    };
    await expect(connect(url)).rejects.toThrow(
      `127.0.0.1:${port}/db: PostgreSQL cannot be reached (ECONNREFUSED): check that it runs, and DATABASE_URL`,
    );
  });

  it("is not waited for when the connection is closed", async () => {
    const server = await startOwnServer();
    const sql = await connect(postgresUrl(server.url()));
    server.pause();
    await sql.close();
    expect(sql.isOpen()).toBe(false);
  });
});

it("a statement in flight ends when the connection is destroyed", async () => {
  const url = await createDatabase();
  const sql = await open(url);
  const holder = await openConnection(url);
  await holder.query("SELECT pg_advisory_lock(1)");
  const lock = { name: "", text: "SELECT pg_advisory_lock(1)" };
  const failed = sql.query(lock).catch((error: unknown) => error);
  await eventually(async () => {
    const { rows } = await holder.query<{ n: number }>(
      "SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND NOT granted",
    );
    return rows[0]?.n === 1;
  });
  sql.destroy();
  expect(await failed).toMatchObject({ code: "POSTGRES_UNREACHABLE" });
});
