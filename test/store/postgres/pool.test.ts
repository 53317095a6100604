import { describe, expect, it } from "@jest/globals";
import { createPool, type Pool } from "../../../src/store/postgres/pool.ts";
import { cleanUp } from "../../support/cleanup.ts";
import { eventually } from "../../support/eventually.ts";
import {
  createDatabase,
  postgresUrl,
  runSql,
  startOwnServer,
} from "../../support/postgres.ts";

function open(url: string, size: number): Pool {
  const pool = createPool(postgresUrl(url), size);
  cleanUp(() => pool.close());
  return pool;
}

const PID = { name: "pid", text: "SELECT pg_backend_pid() AS pid" };
const INSERT = { name: "insert", text: "INSERT INTO t VALUES ($1)" };

async function pidOf(pool: Pool): Promise<number> {
  const [row] = await pool.query<{ pid: number }>(PID);
  return row!.pid;
}

describe("a pool of connections", () => {
  it("uses one connection again, and no more than its size", async () => {
    const pool = open(await createDatabase(), 2);
    const first = await pidOf(pool);
    expect(await pidOf(pool)).toBe(first);
    const pids = await Promise.all(
      Array.from({ length: 10 }, () => pidOf(pool)),
    );
    expect(new Set(pids).size).toBeLessThanOrEqual(2);
  });

  it("rejects a call that waits too long for a connection, and serves the next", async () => {
    const pool = open(await createDatabase(), 1);
    let end: () => void = () => undefined;
    const held = pool.use(
      () =>
        new Promise<void>((resolve) => {
          end = resolve;
        }),
    );
    await expect(pidOf(pool)).rejects.toMatchObject({
      code: "POSTGRES_TIMEOUT",
      message: expect.stringContaining("all 1 connections were in use"),
    });
    end();
    await held;
    expect(await pidOf(pool)).toBeGreaterThan(0);
  });

  it("limits the time of all statements of a call together", async () => {
    const pool = open(await createDatabase(), 1);
    const sleep = { name: "", text: "SELECT pg_sleep(1.2)" };
    await expect(
      pool.use(async (sql) => {
        await sql.query(sleep);
        await sql.query(sleep);
      }),
    ).rejects.toMatchObject({ code: "POSTGRES_TIMEOUT" });
  });

  it("rolls a transaction back when its work fails", async () => {
    const url = await createDatabase();
    await runSql(url, "CREATE TABLE t (n integer PRIMARY KEY)");
    const pool = open(url, 1);
    const pid = await pidOf(pool);
    await expect(
      pool.transaction(async (sql) => {
        await sql.execute(INSERT, [1]);
        throw new Error("the work failed");
      }),
    ).rejects.toThrow("the work failed");
    await pool.transaction((sql) => sql.execute(INSERT, [2]));
    expect(await runSql(url, "SELECT n FROM t")).toEqual([{ n: 2 }]);
    expect(await pidOf(pool)).toBe(pid);
  });

  it("rejects if PostgreSQL rolls back instead of committing", async () => {
    const url = await createDatabase();
    await runSql(url, "CREATE TABLE t (n integer PRIMARY KEY)");
    const pool = open(url, 1);
    await expect(
      pool.transaction(async (sql) => {
        await sql.execute(INSERT, [1]);
        await sql.execute(INSERT, [1]).catch(() => undefined);
      }),
    ).rejects.toThrow("ROLLBACK");
    expect(await runSql(url, "SELECT n FROM t")).toEqual([]);
  });

  it("does not use a connection again whose transaction was left open", async () => {
    const url = await createDatabase();
    const pool = open(url, 1);
    const pid = await pidOf(pool);
    await pool.use((sql) => sql.command("BEGIN"));
    expect(await pidOf(pool)).not.toBe(pid);
  });

  it("works again as soon as the server does", async () => {
    const server = await startOwnServer();
    const pool = open(server.url(), 2);
    await pidOf(pool);
    await server.kill();
    for (let i = 0; i < 5; i += 1) {
      await expect(pidOf(pool)).rejects.toMatchObject({
        code: "POSTGRES_UNREACHABLE",
      });
    }
    await server.start();
    expect(await eventually(() => pidOf(pool).catch(() => 0))).toBeGreaterThan(
      0,
    );
  });

  it("waits for the calls in flight when it is closed, and rejects later ones", async () => {
    const pool = createPool(postgresUrl(await createDatabase()), 2);
    const call = pidOf(pool);
    await pool.close();
    expect(await call).toBeGreaterThan(0);
    await expect(pidOf(pool)).rejects.toMatchObject({ code: "STORE_CLOSED" });
  });
});
