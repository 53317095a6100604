import { beforeEach, describe, expect, it } from "@jest/globals";
import { createDatabase, openConnection, runSql } from "./postgres.ts";
import { eventually } from "./eventually.ts";
import { type PostgresProxy, startPostgresProxy } from "./postgres-proxy.ts";

let direct: string;
let proxied: string;
let proxy: PostgresProxy;

beforeEach(async () => {
  direct = await createDatabase();
  const url = new URL(direct);
  proxy = await startPostgresProxy({ port: Number(url.port) });
  url.port = String(proxy.port);
  proxied = url.href;
  await runSql(direct, "CREATE TABLE n (n integer)");
});

const INSERT = "INSERT INTO n VALUES ($1)";
const rows = async (): Promise<unknown[]> =>
  (await runSql<{ n: number }>(direct, "SELECT n FROM n")).map(({ n }) => n);

/** Inserts a row in a transaction. Returns whether the client knows that it was committed. */
async function insert(n: number): Promise<boolean> {
  const client = await openConnection(proxied);
  try {
    await client.query("BEGIN");
    await client.query({ name: "insert", text: INSERT, values: [n] });
    await client.query("COMMIT");
    return true;
  } catch {
    return false;
  }
}

describe("the proxy", () => {
  it("passes requests on, and counts them", async () => {
    const before = proxy.counts();
    expect(await insert(1)).toBe(true);
    expect(await rows()).toEqual([1]);
    expect(proxy.counts()).toEqual({
      connections: before.connections + 1,
      requests: before.requests + 3,
    });
  });

  it("cuts before a commit reaches the server", async () => {
    const cut = proxy.cutNext("before-request");
    expect(await insert(1)).toBe(false);
    await cut;
    expect(await insert(2)).toBe(true);
    expect(await rows()).toEqual([2]);
  });

  it.each(["before-response", "after-request"] as const)(
    "cuts %s: the server commits",
    async (point) => {
      const cut = proxy.cutNext(point);
      expect(await insert(1)).toBe(false);
      await cut;
      await eventually(async () => (await rows()).length === 1);
    },
  );

  it("cuts at a prepared statement", async () => {
    const cut = proxy.cutNext("before-request", (sql) => sql === INSERT);
    expect(await insert(1)).toBe(false);
    await cut;
    expect(await rows()).toEqual([]);
  });

  it("stalls, and then passes on what it has received", async () => {
    const client = await openConnection(proxied);
    proxy.stall();
    const answer = client.query(INSERT, [1]);
    expect(await rows()).toEqual([]);
    await proxy.forward();
    await answer;
    expect(await rows()).toEqual([1]);
  });

  it("refuses connections, and accepts them again", async () => {
    const client = await openConnection(proxied);
    await proxy.refuse();
    await expect(client.query("SELECT 1")).rejects.toThrow();
    await expect(runSql(proxied, "SELECT 1")).rejects.toThrow("ECONNREFUSED");
    await proxy.forward();
    expect(await insert(1)).toBe(true);
  });

  it("passes on the server's last message before its connection closes", async () => {
    const client = await openConnection(proxied);
    const [row] = (
      await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid")
    ).rows;
    await Promise.all([
      expect(client.query("SELECT pg_sleep(600)")).rejects.toThrow(
        "terminating connection",
      ),
      runSql(direct, "SELECT pg_terminate_backend($1)", [row!.pid]),
    ]);
  });
});
