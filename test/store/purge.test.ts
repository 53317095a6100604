import { beforeEach, describe, expect, it } from "@jest/globals";
import type { Purged } from "../../src/audit/retention-entries.ts";
import type { Store } from "../../src/store/port.ts";
import { DAY } from "../support/retention.ts";
import {
  idsOf,
  KINDS,
  openStoreOfKind,
  type TestStore,
} from "../support/stores.ts";

/* The times are whole days apart, because a store may keep an event until its whole UTC day is old. */

describe.each(KINDS)("the purge of a $name store", (kind) => {
  let test: TestStore;

  beforeEach(async () => {
    test = await openStoreOfKind(kind);
    test.setClock(100 * DAY);
  });

  /** Makes all steps. Returns what they deleted in all. */
  async function purge(receivedBefore: number): Promise<Purged> {
    const all = { events: 0, deliveries: 0, attempts: 0 };
    let from: number | null = null;
    do {
      const step: Awaited<ReturnType<Store["purge"]>> = await test
        .store()
        .purge({ now: test.now(), receivedBefore, from });
      all.events += step.purged.events;
      all.deliveries += step.purged.deliveries;
      all.attempts += step.purged.attempts;
      from = step.next;
    } while (from !== null);
    return all;
  }
  const stored = async () =>
    (
      await test.store().scanEvents({
        filter: {
          state: null,
          destination: null,
          source: null,
          type: null,
          since: null,
          until: null,
        },
        order: "oldest",
        from: null,
        limit: 1000,
      })
    ).events;
  const idsInStore = async () => (await stored()).map(({ id }) => id);
  const purgedEntries = async () =>
    (await test.entries()).filter(
      ({ action }) => action === "retention.purged",
    );
  /** The newest event and the newest delivery, which a store may keep for the sake of their numbers. */
  const young = () =>
    test.record("young", { receivedAt: 99 * DAY, destinations: ["y"] });
  const settleAll = async () => {
    for (const claimed of await test.claim()) {
      await test.settle(claimed);
    }
  };

  it("deletes events that were received before a time, and not at that time", async () => {
    for (const [id, receivedAt] of [
      ["a", 4 * DAY - 1],
      ["b", 4 * DAY],
      ["c", 4 * DAY + 1],
    ] as const) {
      await test.record(id, { receivedAt, destinations: [] });
    }
    await young();
    expect(await purge(4 * DAY)).toMatchObject({ events: 1 });
    expect(await idsInStore()).toEqual(["b", "c", "young"]);
  });

  it("deletes old events with all their rows, no undelivered ones, and never reuses a number", async () => {
    for (let n = 1; n <= 6; n += 1) {
      await test.record(`e${n}`, { mac: n, receivedAt: n * DAY });
    }
    const again = { mac: 11, signedAt: null };
    await test.record("e1", { ...again, receivedAt: 1.5 * DAY });
    for (const delivery of await test.claim()) {
      if (delivery.event.id !== "e2") {
        await test.settle(
          delivery,
          delivery.event.id === "e3" ? { state: "exhausted" } : undefined,
        );
      }
    }
    const before = await stored();

    expect(await purge(5 * DAY)).toEqual({
      events: 3,
      deliveries: 3,
      attempts: 3,
    });
    expect(await purge(5 * DAY)).toMatchObject({ events: 0 });
    expect(await idsInStore()).toEqual(["e2", "e5", "e6"]);
    // The id of a purged event is unknown again, and so are the claims of its requests.
    expect(await test.record("e1", { ...again, receivedAt: 99 * DAY })).toBe(
      "accepted",
    );
    for (const delivery of await test.claim()) {
      await test.settle(delivery);
    }
    await purge(50 * DAY);
    await test.record("last", { receivedAt: 99 * DAY });
    const after = await stored();
    expect(after.map(({ id }) => id)).toEqual(["e2", "e1", "last"]);
    for (const [n, { seq, deliveries }] of after.slice(1).entries()) {
      const earlier = [...before, ...after.slice(0, n + 1)];
      expect(seq).toBeGreaterThan(
        Math.max(...earlier.map((event) => event.seq)),
      );
      expect(deliveries[0]!.id).toBeGreaterThan(
        Math.max(...earlier.map((event) => event.deliveries[0]!.id)),
      );
    }
  });

  it("never allows the number of an event or a delivery to be reused after a restart", async () => {
    await test.record("delivered");
    const [first] = await test.claim();
    await test.settle(first!);
    // A newer event without a delivery.
    await test.record("unrouted", { destinations: [] });
    const [, unrouted] = await stored();
    await purge(50 * DAY);
    await test.restart();
    await test.record("next", { receivedAt: 99 * DAY });
    const [next] = await test.claim();
    expect(next).toMatchObject({ attempt: 1, event: { id: "next" } });
    expect(next!.id).toBeGreaterThan(first!.id);
    expect(next!.event.seq).toBeGreaterThan(unrouted!.seq);
  });

  it("deletes all of many events and of large bodies", async () => {
    const body = "x".repeat(1_500_000);
    for (let n = 1; n <= 5; n += 1) {
      await test.record(`large${n}`, { body, destinations: [] });
    }
    await Promise.all(
      Array.from({ length: 450 }, (_, n) =>
        test.record(`e${n}`, { receivedAt: n, destinations: [] }),
      ),
    );
    await young();
    expect(await purge(50 * DAY)).toMatchObject({ events: 455 });
    expect(await idsInStore()).toEqual(["young"]);
    const entries = await purgedEntries();
    const sum = entries.reduce(
      (all, { metadata }) => all + Number(metadata["events"]),
      0,
    );
    expect(sum).toBe(455);
  });

  it("deletes attempts and deliveries too, and counts them", async () => {
    await test.record("a", { destinations: ["d", "e"] });
    const [first] = await test.claim();
    await test.settle(first!, { state: "pending", dueAt: 5000 });
    await settleAll();
    const [other] = await test.claim({ destination: "e" });
    await test.settle(other!, { state: "exhausted" });
    await test.record("b", { receivedAt: 99 * DAY });
    expect(await purge(50 * DAY)).toEqual({
      events: 1,
      deliveries: 2,
      attempts: 3,
    });
    for (const [table, left] of [
      ["event", 1],
      ["delivery", 1],
      ["attempt", 0],
    ] as const) {
      expect(
        await test.database.query(`SELECT count(*) FROM ${table}`),
      ).toEqual([[left]]);
    }
    expect(await purgedEntries()).toMatchObject([
      { metadata: { events: 1, deliveries: 2, attempts: 3 } },
    ]);
    await test.trail();
  });

  it("keeps events with a delivery in flight, or one that waits for a retry or another delivery", async () => {
    await test.record("retried", { destinations: ["d", "e"] });
    await test.record("first", { destinations: ["o"], orderKey: "k" });
    await test.record("second", { destinations: ["o"], orderKey: "k" });
    await young();
    const [retried] = await test.claim();
    await test.settle(retried!, { state: "pending", dueAt: 150 * DAY });
    const [elsewhere] = await test.claim({ destination: "e" });
    await test.settle(elsewhere!);
    const [first] = await test.claim({ destination: "o" });
    expect(await purge(50 * DAY)).toMatchObject({ events: 0 });
    expect(await purge(50 * DAY)).toMatchObject({ events: 0 });
    expect(await idsInStore()).toEqual(["retried", "first", "second", "young"]);

    // They go on as if nothing had happened.
    const [kept] = await test.store().findEvents("retried");
    expect(kept!.deliveries).toMatchObject([
      { state: "pending", attempts: [{ attempt: 1, ok: false }] },
      { state: "succeeded", attempts: [{ attempt: 1, ok: true }] },
    ]);
    expect((await test.store().readBody(kept!.seq))!.toString()).toBe("{}");
    expect(await test.record("retried", { mac: 7 })).toBe("duplicate");
    expect(await test.settle(first!)).toBe(true);
    const [second] = await test.claim({ destination: "o" });
    expect(second!.event.id).toBe("second");
    await test.settle(second!);
    test.setClock(150 * DAY);
    const [again] = await test.claim();
    expect(again).toMatchObject({ id: retried!.id, attempt: 2 });
    await test.settle(again!);

    // And once they have ended, they are deleted with all their rows.
    expect(await purge(50 * DAY)).toEqual({
      events: 3,
      deliveries: 4,
      attempts: 5,
    });
    expect(await idsInStore()).toEqual(["young"]);
  });

  it("keeps many undelivered events of old days", async () => {
    await Promise.all(
      Array.from({ length: 450 }, (_, n) =>
        test.record(`e${n}`, { receivedAt: (n % 3) * DAY }),
      ),
    );
    expect(await purge(50 * DAY)).toMatchObject({ events: 0 });
    expect(await purge(0)).toMatchObject({ events: 0 });
    const claimed = await test.claim({ limit: 500 });
    expect(new Set(idsOf(claimed)).size).toBe(450);
  });

  it("deletes old events next to those that a wrong clock stored with a future time", async () => {
    await Promise.all(
      Array.from({ length: 450 }, (_, n) =>
        test.record(`e${n}`, {
          destinations: [],
          receivedAt: n < 300 ? 900 * DAY : DAY,
        }),
      ),
    );
    await young();
    expect(await purge(50 * DAY)).toMatchObject({ events: 150 });
  });

  it("allows an event that was discarded or exhausted to be deleted", async () => {
    await test.record("discarded");
    await test.record("exhausted");
    const { store, now } = test;
    const [event] = await store().findEvents("discarded");
    await store().discard({
      deliveryIds: [event!.deliveries[0]!.id],
      now: now(),
      operator: "alice",
    });
    const [exhausted] = await test.claim();
    await test.settle(exhausted!, { state: "exhausted" });
    await young();
    expect(await purge(50 * DAY)).toMatchObject({ events: 2 });
    expect(await store().findEvents("discarded")).toEqual([]);
    expect(await test.redeliver(exhausted!.id)).toEqual(["unknown"]);
  });
});
