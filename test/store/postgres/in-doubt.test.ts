import { beforeEach, describe, expect, it } from "@jest/globals";
import { openStore } from "../../../src/store/open.ts";
import type { Store } from "../../../src/store/port.ts";
import type { PostgresUrl } from "../../../src/store/url.ts";
import { cleanUp } from "../../support/cleanup.ts";
import { eventually } from "../../support/eventually.ts";
import { SIGNING_KEY } from "../../support/fixtures.ts";
import {
  createDatabase,
  openConnection,
  postgresUrl,
  runSql,
} from "../../support/postgres.ts";
import {
  type PostgresProxy,
  startPostgresProxy,
} from "../../support/postgres-proxy.ts";
import { readTrail } from "../../support/read-trail.ts";
import { draftOf, recordOf } from "../../support/stores.ts";

const isAccept = (sql: string): boolean => sql.includes("hexhook_require");

describe("a PostgreSQL store whose connection is cut", () => {
  let address: string;
  let direct: PostgresUrl;
  let proxy: PostgresProxy;
  let store: Store;

  beforeEach(async () => {
    address = await createDatabase();
    direct = postgresUrl(address);
    proxy = await startPostgresProxy({ port: direct.port });
    store = await openStore(
      { ...direct, port: proxy.port },
      {
        writer: "w",
        signingKey: SIGNING_KEY,
        now: Date.now,
        onFatal: (error) => {
          throw error;
        },
        delivers: false,
        poolSize: 4,
      },
    );
    cleanUp(() => store.close());
    await store.append(draftOf("server.started"));
  });

  const actions = async () =>
    (await readTrail(direct)).map(({ action }) => action);

  const count = async (table: string) =>
    (
      await runSql<{ n: number }>(address, `SELECT count(*) AS n FROM ${table}`)
    )[0]!.n;

  /** Calls until the store accepts calls again. */
  const recovered = () =>
    eventually(() =>
      store.probe().then(
        () => true,
        () => false,
      ),
    );

  it.each(["before-request", "after-request", "before-response"] as const)(
    "stores a record exactly once and answers it, if the connection is cut %s",
    async (point) => {
      const cut = proxy.cutNext(point, isAccept);
      expect(await store.record(recordOf("a"))).toMatchObject({
        outcome: "accepted",
      });
      await cut;
      expect(await store.record(recordOf("a", { mac: 2 }))).toMatchObject({
        outcome: "duplicate",
      });
      expect(await actions()).toEqual([
        "server.started",
        "webhook.accepted",
        "webhook.duplicate",
      ]);
      expect(await count("event")).toBe(1);
      await store.probe();
    },
  );

  it("reports the entries and due deliveries of a commit whose answer was lost, once", async () => {
    const entries: number[] = [];
    const due: string[] = [];
    store.onCommit((commit) => {
      entries.push(...commit.entries.map(({ position }) => position));
      due.push(...commit.due);
    });
    void proxy.cutNext("before-response", isAccept);
    await Promise.all([
      store.record(recordOf("a")),
      store.append(draftOf("secret.overdue")),
    ]);
    expect(entries).toEqual([2, 3]);
    expect(due).toEqual(["d"]);
  });

  it("runs a transaction again that did not commit, and not one that did", async () => {
    for (const point of ["before-request", "before-response"] as const) {
      const cut = proxy.cutNext(point, (sql) => /^COMMIT/.test(sql));
      await store.setPaused(
        `d-${point}`,
        { at: 1, by: "x" },
        draftOf("destination.paused"),
      );
      await cut;
    }
    expect(await actions()).toEqual([
      "server.started",
      "destination.paused",
      "destination.paused",
    ]);
  });

  it("makes the retry of a record a duplicate that was answered with an error but committed", async () => {
    const one = recordOf("a");
    const cut = proxy.cutNext("before-response", isAccept);
    void cut.then(proxy.refuse);
    await expect(store.record(one)).rejects.toMatchObject({
      name: "StoreError",
      fatal: false,
    });
    expect(await count("event")).toBe(1);
    await proxy.forward();
    await recovered();

    expect(await store.record(one)).toMatchObject({ outcome: "duplicate" });
    expect(await store.record(one)).toMatchObject({ outcome: "replayed" });
    expect(await store.record(recordOf("a", { mac: 2 }))).toMatchObject({
      outcome: "duplicate",
    });
    expect(await actions()).toEqual([
      "server.started",
      "webhook.accepted",
      "store.failed",
      "webhook.duplicate",
      "webhook.duplicate",
    ]);
  });

  it("makes the retry a duplicate after a commit whose answer came too late", async () => {
    const one = recordOf("a");
    const timeless = recordOf("b", { signedAt: null });
    await store.record(recordOf("first"));
    proxy.stall();
    const results = await Promise.allSettled([
      store.record(one),
      store.record(timeless),
      store.append(draftOf("secret.overdue")),
    ]);
    expect(results.map(({ status }) => status)).toEqual([
      "rejected",
      "rejected",
      "rejected",
    ]);
    await proxy.forward();
    await recovered();
    for (const record of [one, timeless]) {
      expect(["duplicate", "accepted"]).toContain(
        (await store.record(record)).outcome,
      );
      expect(await store.record(record)).toMatchObject({ outcome: "replayed" });
    }
    expect(await count("event")).toBe(3);
    await readTrail(direct);
  });

  it("rejects at once while the database cannot be reached, and reports the outage once", async () => {
    await proxy.refuse();
    await expect(store.record(recordOf("a"))).rejects.toMatchObject({
      code: "POSTGRES_UNREACHABLE",
    });
    for (let n = 0; n < 100; n += 1) {
      await expect(store.record(recordOf(`${n}`))).rejects.toMatchObject({
        code: "POSTGRES_UNREACHABLE",
      });
    }
    await proxy.forward();
    await recovered();
    expect(await store.record(recordOf("a"))).toMatchObject({
      outcome: "accepted",
    });
    expect(await actions()).toEqual([
      "server.started",
      "store.failed",
      "webhook.accepted",
    ]);
  });

  it("closes while the database does not answer", async () => {
    proxy.stall();
    const pending = store.record(recordOf("a"));
    const [outcome] = await Promise.allSettled([pending, store.close()]);
    expect(outcome).toMatchObject({ status: "rejected" });
    await expect(store.record(recordOf("b"))).rejects.toMatchObject({
      code: "STORE_CLOSED",
    });
  });

  it("stores a record once if the lost connection still waits for a lock", async () => {
    const rival = await openConnection(address);
    await rival.query("BEGIN; LOCK TABLE pending_delivery IN EXCLUSIVE MODE");
    const cut = proxy.cutNext("after-request", isAccept);
    const outcome = store.record(recordOf("a"));
    await cut;
    await rival.query("COMMIT");
    expect(await outcome).toMatchObject({ outcome: "accepted" });
    expect(await count("event")).toBe(1);
    expect(await actions()).toEqual(["server.started", "webhook.accepted"]);
  });

  it("cannot commit with an old fence", async () => {
    await runSql(address, "UPDATE audit_writer SET fence = fence + 1");
    const before = await runSql(address, "SELECT fence FROM audit_writer");
    expect(await store.record(recordOf("a"))).toMatchObject({
      outcome: "accepted",
    });
    expect(await runSql(address, "SELECT fence FROM audit_writer")).toEqual([
      { fence: Number(before[0]!["fence"]) + 1 },
    ]);
    await store.probe();
  });
});
