import { expect, it } from "@jest/globals";
import {
  createDatabase,
  openConnection,
  runSql,
  startOwnServer,
} from "./postgres.ts";

it("each test gets an empty database of its own", async () => {
  const [first, second] = [await createDatabase(), await createDatabase()];
  await runSql(first, "CREATE TABLE t (n bigint)");
  await runSql(first, "INSERT INTO t VALUES ($1)", [7]);
  expect(await runSql(first, "SELECT n FROM t")).toEqual([{ n: 7 }]);
  await expect(runSql(second, "SELECT n FROM t")).rejects.toThrow(
    'relation "t" does not exist',
  );
});

it("a server of a test's own keeps committed rows over a kill, and can be paused", async () => {
  const server = await startOwnServer({ max_connections: "20" });
  const url = await server.createDatabase();
  expect(await runSql(url, "SHOW max_connections")).toEqual([
    { max_connections: "20" },
  ]);
  await runSql(url, "CREATE TABLE t AS SELECT 1 AS n");
  await server.kill();
  await expect(runSql(url, "SELECT n FROM t")).rejects.toThrow("ECONNREFUSED");
  await server.start({ fsync: "off" });
  const held = await openConnection(url);
  server.pause();
  let answered = false;
  const answer = held
    .query("SELECT n FROM t, pg_settings WHERE name = 'fsync'")
    .then(({ rows }) => {
      answered = true;
      return rows as unknown;
    });
  const other = runSql(url, "SHOW fsync");
  expect(answered).toBe(false);
  server.resume();
  expect(await answer).toEqual([{ n: 1 }]);
  expect(await other).toEqual([{ fsync: "off" }]);
});
