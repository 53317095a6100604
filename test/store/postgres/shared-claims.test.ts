import { beforeEach, describe, expect, it } from "@jest/globals";
import type { ClaimedDelivery } from "../../../src/domain/delivery.ts";
import type { Store } from "../../../src/store/port.ts";
import type { ClaimRequest } from "../../../src/store/records.ts";
import { cleanUp } from "../../support/cleanup.ts";
import { eventually } from "../../support/eventually.ts";
import { SIGNING_KEY } from "../../support/fixtures.ts";
import { startPostgresProxy } from "../../support/postgres-proxy.ts";
import {
  actionsOf,
  draftOf,
  idsOf,
  openStoreOfKind,
  POSTGRES,
  recordOf,
  type TestStore,
} from "../../support/stores.ts";

describe("two replicas on one PostgreSQL database", () => {
  let test: TestStore;
  let replicas: readonly [Store, Store];

  beforeEach(async () => {
    test = await openStoreOfKind(POSTGRES);
    replicas = [test.store(), await test.openAgain()];
  });

  const claim = (store: Store, further: Partial<ClaimRequest> = {}) =>
    store.claim({
      destination: "d",
      now: test.now(),
      dueUntil: test.now(),
      limit: 100,
      concurrency: 1000,
      rateLimit: null,
      leaseUntil: test.now() + 60_000,
      holding: new Set<number>(),
      crashed: "any",
      probed: null,
      kind: "http",
      ...further,
    });

  const claimOnBoth = async (
    further: Partial<ClaimRequest> = {},
  ): Promise<ClaimedDelivery[]> =>
    (await Promise.all(replicas.map((store) => claim(store, further)))).flat();

  const settle = (
    store: Store,
    { id, attempt }: ClaimedDelivery,
    state: "succeeded" | "exhausted" = "succeeded",
  ) =>
    store.settle({
      deliveryId: id,
      attempt,
      endedAt: test.now(),
      result: { ok: true, status: 204 },
      next: { state },
      entry: draftOf("delivery.succeeded"),
    });

  const deliveryOf = async (id: string) =>
    (await test.store().findEvents(id))[0]!.deliveries[0]!;

  /** Stores events, alternately by both replicas. */
  const recordAll = (count: number) =>
    Promise.all(
      Array.from({ length: count }, (_, n) =>
        replicas[n % 2]!.record(recordOf(`e${n}`)),
      ),
    );

  it.each([1, 8])(
    "together have at most %i attempts in flight, and each delivery once",
    async (concurrency) => {
      await recordAll(40);
      const seen = new Set<number>();
      let inFlight: ClaimedDelivery[] = [];
      while (seen.size < 40 || inFlight.length > 0) {
        inFlight.push(...(await claimOnBoth({ concurrency })));
        for (const { id, attempt } of inFlight) {
          expect(attempt).toBe(1);
          seen.add(id);
        }
        const left = 40 - seen.size;
        expect(inFlight.length).toBeLessThanOrEqual(concurrency);
        expect(inFlight.length === concurrency || left === 0).toBe(true);
        // Each is settled by the replica that did not claim first, or by the other one: any replica may write.
        const ended = inFlight.slice(0, Math.ceil(concurrency / 2));
        inFlight = inFlight.slice(ended.length);
        expect(
          await Promise.all(
            ended.map((one, n) => settle(replicas[n % 2]!, one)),
          ),
        ).not.toContain(false);
      }
    },
  );

  it("together start no more attempts than the rate limit in any second, and as many as it permits", async () => {
    await recordAll(100);
    const rateLimit = { attempts: 20, perMs: 1000 };
    // Both have a connection, so their first claims run at the same time.
    await claimOnBoth({ destination: "other" });
    const starts: number[] = [];
    for (let step = 0; starts.length < 100; step += 1) {
      const limit = step % 3 === 0 ? 20 : 2;
      const claimed = await claimOnBoth({ rateLimit, limit });
      starts.push(...claimed.map(() => test.now()));
      test.setClock(test.now() + 37);
      expect(step).toBeLessThan(200);
    }
    for (const start of starts) {
      const inSecond = starts.filter((at) => at >= start && at < start + 1000);
      expect(inSecond.length).toBeLessThanOrEqual(20);
    }
    // Twenty in each second that began.
    expect(starts.at(-1)! - starts[0]!).toBeLessThan(5000);
  });

  it("attempt the deliveries of an order key one after another, in the order of their acceptance", async () => {
    const keys = ["a", "b", "c"];
    const perKey = 12;
    const accepted = Promise.all(
      keys.map(async (orderKey) => {
        for (let n = 0; n < perKey; n += 1) {
          const store = replicas[n % 2]!;
          await store.record(recordOf(`${orderKey}-${n}`, { orderKey }));
        }
      }),
    );
    const attempted = new Map<string, string[]>(keys.map((key) => [key, []]));
    const inFlight = new Set<string>();
    const total = () => [...attempted.values()].flat().length;
    const work = async (store: Store): Promise<void> => {
      while (total() < keys.length * perKey) {
        for (const claimed of await claim(store, { limit: 2 })) {
          const key = claimed.event.id[0]!;
          expect(inFlight.has(key)).toBe(false);
          inFlight.add(key);
          attempted.get(key)!.push(claimed.event.id);
          // Another claim runs meanwhile.
          await claim(store, { destination: "other" });
          inFlight.delete(key);
          expect(await settle(store, claimed)).toBe(true);
        }
      }
    };
    await Promise.all([accepted, ...replicas.map(work)]);
    for (const key of keys) {
      expect(attempted.get(key)).toEqual(
        Array.from({ length: perKey }, (_, n) => `${key}-${n}`),
      );
    }
  });

  it("attempt one delivery of an order key if several have a due time", async () => {
    const [one, other] = replicas;
    await test.record("first", { orderKey: "k" });
    await test.record("second", { orderKey: "k" });
    // As if the replicas had stored both at the same time. The second one is due before the first one.
    await test.database.execute(
      "UPDATE pending_delivery SET due_at = 4000 + CASE WHEN due_at > 5000 THEN 0 ELSE 1 END",
    );
    const [first, ...more] = await claimOnBoth();
    expect([first!.event.id, more]).toEqual(["first", []]);
    expect(await claimOnBoth()).toEqual([]);
    expect(await settle(one, first!)).toBe(true);
    expect(idsOf(await claim(other))).toEqual(["second"]);
  });

  it("attempt the next delivery of an order key if no replica made it due", async () => {
    await test.record("first", { orderKey: "k" });
    await test.record("second", { orderKey: "k" });
    expect(idsOf(await claimOnBoth())).toEqual(["first"]);
    // As if one replica had ended the first delivery while the other one stored the second.
    await test.database.execute(
      "DELETE FROM pending_delivery WHERE leased_by IS NOT NULL",
    );
    const next = await eventually(async () => {
      const claimed = await claimOnBoth();
      return claimed.length > 0 ? claimed : null;
    });
    expect(idsOf(next)).toEqual(["second"]);
  });

  it("do not redeliver or discard what the other one attempts", async () => {
    const [one, other] = replicas;
    await test.record("a");
    const [claimed] = await claim(one);
    const request = {
      deliveryIds: [claimed!.id],
      now: test.now(),
      operator: "alice",
    };
    expect(await other.redeliver(request)).toEqual(["in_flight"]);
    expect(await other.discard(request)).toEqual(["in_flight"]);
    expect(await settle(one, claimed!, "exhausted")).toBe(true);
    expect(
      await Promise.all([one.redeliver(request), other.redeliver(request)]),
    ).toEqual([["redelivered"], ["redelivered"]]);
    expect(await claimOnBoth()).toMatchObject([{ attempt: 2 }]);
  });

  it("find a lost attempt once, and drop its late result", async () => {
    const [one, other] = replicas;
    await test.record("a");
    const [late] = await claim(one, { leaseUntil: test.now() + 1000 });
    test.setClock(test.now() + 1000);
    const [again, ...more] = await claimOnBoth();
    expect([again!.attempt, again!.crashes, more]).toEqual([2, 1, []]);
    expect(await settle(one, late!)).toBe(false);
    expect(await settle(other, again!)).toBe(true);
    expect(actionsOf(await test.entries())).toEqual([
      "webhook.accepted",
      "delivery.failed",
      "delivery.succeeded",
    ]);
    expect(await deliveryOf("a")).toMatchObject({
      state: "succeeded",
      attempts: [
        { attempt: 1, reason: "process_died" },
        { attempt: 2, ok: true },
      ],
    });
  });

  it("create a missing delivery once", async () => {
    await test.record("a", { destinations: [] });
    const [event] = await test.store().findEvents("a");
    const request = {
      deliveries: [{ eventSeq: event!.seq, destination: "d", orderKey: null }],
      now: test.now(),
      operator: "alice",
    };
    const created = await Promise.all(
      replicas.map((store) => store.addDeliveries(request)),
    );
    expect(created.flat().sort()).toEqual([false, true]);
    expect(await claimOnBoth()).toHaveLength(1);
  });
});

describe("a claim in PostgreSQL", () => {
  it("whose answer was lost is repeated at once, without a crash", async () => {
    const test = await openStoreOfKind(POSTGRES);
    const { url } = test.database;
    if (url.driver !== "postgres") {
      throw new Error("not a PostgreSQL database");
    }
    const proxy = await startPostgresProxy({ port: url.port });
    const store = await POSTGRES.open(
      { ...url, port: proxy.port },
      {
        signingKey: SIGNING_KEY,
        writer: "proxied",
        now: test.now,
        onFatal: (error) => {
          throw error;
        },
        delivers: true,
        poolSize: 4,
      },
    );
    cleanUp(() => store.close());
    await test.record("held");
    await test.record("lost", { receivedAt: test.now() + 1 });
    const claim = (holding: number[], limit = 1) =>
      store.claim({
        destination: "d",
        now: test.now(),
        dueUntil: test.now(),
        limit,
        concurrency: 2,
        rateLimit: null,
        leaseUntil: test.now() + 60_000,
        holding: new Set(holding),
        crashed: "any",
        probed: null,
        kind: "http",
      });
    const [held] = await claim([]);
    test.setClock(test.now() + 1);
    const cut = proxy.cutNext("before-response", (sql) =>
      sql.includes("hexhook_claim"),
    );
    await expect(claim([held!.id])).rejects.toMatchObject({
      name: "StoreError",
    });
    await cut;
    expect(await claim([held!.id], 10)).toMatchObject([
      { attempt: 1, scheduledAttempt: 1, crashes: 0, event: { id: "lost" } },
    ]);
    expect(await claim([held!.id, held!.id + 1], 10)).toEqual([]);
  });
});
