import { beforeEach, describe, expect, it } from "@jest/globals";
import { openStore } from "../../../src/store/open.ts";
import type { Lane, Tx } from "../../../src/store/postgres/lane.ts";
import { createPool } from "../../../src/store/postgres/pool.ts";
import type { StoreUrl } from "../../../src/store/url.ts";
import { cleanUp } from "../../support/cleanup.ts";
import { SIGNING_KEY } from "../../support/fixtures.ts";
import { eventually } from "../../support/eventually.ts";
import {
  createDatabase,
  createStoreDatabase,
  type OwnServer,
  postgresUrl,
  runSql,
  startOwnServer,
} from "../../support/postgres.ts";
import { openLane } from "../../support/postgres-lane.ts";
import { readTrail } from "../../support/read-trail.ts";
import { draftOf, recordOf } from "../../support/stores.ts";
import { publishedState } from "../../support/published-state.ts";

async function open(url: StoreUrl, poolSize = 4) {
  const store = await openStore(url, {
    writer: "w",
    signingKey: SIGNING_KEY,
    now: Date.now,
    onFatal: (error) => {
      throw error;
    },
    delivers: true,
    poolSize,
  });
  cleanUp(() => store.close());
  return store;
}

const raise = (code: string) => ({
  name: "",
  text: `DO $$ BEGIN RAISE 'test' USING ERRCODE = '${code}'; END $$`,
});

describe("the lane of a PostgreSQL store", () => {
  let lane: Lane;
  let address: string;

  beforeEach(async () => {
    address = await createStoreDatabase();
    const target = postgresUrl(address);
    const pool = createPool(target, 2);
    cleanUp(pool.close);
    ({ lane } = openLane({ target, pool }, "w", Date.now));
  });

  it.each(["40001", "40P01"])(
    "runs a transaction again that failed with %s, without its first entries",
    async (code) => {
      let runs = 0;
      await lane.run(async (tx) => {
        runs += 1;
        tx.append(draftOf("destination.paused"));
        if (runs === 1) {
          await tx.execute(raise(code));
        }
      });
      expect(runs).toBe(2);
      expect(await readTrail(postgresUrl(address))).toHaveLength(1);
    },
  );

  it("rejects when COMMIT is answered with ROLLBACK", async () => {
    const run = lane.run(async (tx) => {
      await tx.execute(raise("42P01")).catch(() => undefined);
    });
    await expect(run).rejects.toMatchObject({ code: "POSTGRES_ROLLBACK" });
  });

  it("lets kinds of jobs take turns", async () => {
    const order: string[] = [];
    const kind = (name: string) =>
      lane.batched(
        async (_tx: Tx, jobs: readonly number[]) => {
          order.push(name);
          return jobs;
        },
        { maxJobs: 1 },
      );
    const [one, two] = [kind("one"), kind("two")];
    const jobs = [1, 2, 3];
    await Promise.all([...jobs.map(one), ...jobs.map(two)]);
    expect(order).toEqual(["one", "two", "one", "two", "one", "two"]);
  });
});

describe("the row of a PostgreSQL store's last entry", () => {
  it("names no entry before the first one", async () => {
    const url = postgresUrl(await createDatabase());
    const store = await open(url);
    await store.probe();
    expect(await store.heads()).toEqual([]);
    expect(await readTrail(url)).toEqual([]);
  });

  it.each([
    ["changed", "UPDATE audit_writer SET hash = 'x'", "head_mismatch"],
    ["deleted", "DELETE FROM audit_writer", "unknown_writer"],
  ])(
    "stays as it is when it was %s from outside, while the service goes on",
    async (_, change, fault) => {
      const address = await createDatabase();
      const store = await open(postgresUrl(address));
      await store.append(draftOf("server.started"));
      await runSql(address, change);
      const changed = await store.heads();

      expect(await store.record(recordOf("a"))).toMatchObject({
        outcome: "accepted",
      });
      await store.setPaused(
        "d",
        { at: 1, by: "x" },
        draftOf("destination.paused"),
      );
      expect(await store.heads()).toEqual(changed);
      expect(await store.readAudit(0, 10)).toHaveLength(3);
      await expect(store.probe()).rejects.toMatchObject({
        code: "AUDIT_CHANGED",
      });
      await expect(readTrail(postgresUrl(address))).rejects.toThrow(fault);
    },
  );
});

describe("a PostgreSQL store whose server fails", () => {
  let server: OwnServer;

  beforeEach(async () => {
    server = await startOwnServer();
  });

  it("rejects writes while the server is read-only, and recovers", async () => {
    const address = await server.createDatabase();
    const store = await open(postgresUrl(address));
    const set = async (value: string) => {
      await runSql(
        server.url(),
        `ALTER SYSTEM SET default_transaction_read_only = ${value}`,
      );
      await runSql(server.url(), "SELECT pg_reload_conf()");
    };
    await store.record(recordOf("a"));
    await set("on");
    const rejected = { name: "StoreError", code: "25006", fatal: false };
    await eventually(async () => {
      const outcome = await store.publishStatus(publishedState()).catch(codeOf);
      return outcome === "25006";
    });
    await expect(store.record(recordOf("b"))).rejects.toMatchObject(rejected);
    await set("off");
    await eventually(async () => {
      const found = await store.record(recordOf("b")).catch(() => null);
      return found?.outcome === "accepted";
    });
    await eventually(async () => {
      const outcome = await store.publishStatus(publishedState()).catch(codeOf);
      return outcome === undefined;
    });
    await store.probe();
    await readTrail(postgresUrl(address));
  });

  it("recovers from sessions that stay read-only", async () => {
    const address = await server.createDatabase();
    // One connection besides the lane, so that no other one can take its place.
    const store = await open(postgresUrl(address), 2);
    const set = async (value: string) => {
      await runSql(
        server.url(),
        `ALTER DATABASE ${new URL(address).pathname.slice(1)} SET default_transaction_read_only = ${value}`,
      );
    };
    await set("on");
    await runSql(
      server.url(),
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'hexhook%'",
    );
    const codes = () =>
      Promise.all([
        store.publishStatus(publishedState()).catch(codeOf),
        store.append(draftOf("server.started")).catch(codeOf),
      ]);
    await eventually(async () =>
      (await codes()).every((code) => code === "25006"),
    );
    await set("off");
    await eventually(async () =>
      (await codes()).every((code) => code === undefined),
    );
    await expect(codes()).resolves.toEqual([undefined, undefined]);
  });

  it("closes while the server does not answer", async () => {
    const store = await open(postgresUrl(await server.createDatabase()));
    await store.append(draftOf("server.started"));
    server.pause();
    const jobs = Array.from({ length: 5 }, (_, n) =>
      store.record(recordOf(`${n}`)),
    );
    const [, ...outcomes] = await Promise.allSettled([store.close(), ...jobs]);
    expect(new Set(outcomes.map(({ status }) => status))).toEqual(
      new Set(["rejected"]),
    );
    server.resume();
  });
});

const codeOf = (error: unknown): unknown => (error as { code: unknown }).code;
