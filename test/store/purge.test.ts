import { beforeEach, describe, expect, it } from "@jest/globals";
import { readColumn } from "../support/store-file.ts";
import { KINDS, openStoreOfKind, type TestStore } from "../support/stores.ts";

describe.each(KINDS)("the purge of a $name store", ({ openKind }) => {
  let test: TestStore;

  beforeEach(async () => {
    test = await openStoreOfKind(openKind);
  });

  const purge = (receivedBefore: number, from: number | null = null) =>
    test.store().purge({ now: 1_000_000, receivedBefore, from });
  const idsInStore = () =>
    readColumn(test.file, "SELECT id FROM event ORDER BY seq");
  const settleAll = async () => {
    for (const claimed of await test.claim()) {
      await test.settle(claimed);
    }
  };

  it("deletes events that were received before a time, and not at that time", async () => {
    for (const receivedAt of [3999, 4000, 4001]) {
      await test.record(`e${receivedAt}`, { receivedAt, destinations: [] });
    }
    await test.record("newest", { receivedAt: 9000, destinations: [] });
    expect(await purge(4000)).toMatchObject({ purged: { events: 1 } });
    expect(idsInStore()).toEqual(["e4000", "e4001", "newest"]);
  });

  it("never allows the number of an event or a delivery to be reused", async () => {
    await test.record("delivered");
    await settleAll();
    // A newer event without a delivery.
    await test.record("unrouted", { mac: 2, destinations: [] });
    await purge(1_000_000);
    await test.record("next", { mac: 3 });
    await test.restart();
    const [next] = await test.claim();
    expect(next).toMatchObject({ id: 2, attempt: 1, event: { id: "next" } });
    expect(next!.event.seq).toBe(3);
  });

  it("deletes a few large bodies in one step and the others in the next steps", async () => {
    const body = "x".repeat(1_500_000);
    for (let n = 1; n <= 5; n += 1) {
      await test.record(`e${n}`, { mac: n, body, destinations: [] });
    }
    const steps: number[] = [];
    let from: number | null = null;
    do {
      const step: Awaited<ReturnType<typeof purge>> = await purge(
        1_000_000,
        from,
      );
      steps.push(step.purged.events);
      from = step.next;
    } while (from !== null);
    expect(steps.slice(0, 2)).toEqual([2, 2]);
    expect(idsInStore()).toEqual(["e5"]);
  });

  it("keeps events with a delivery in flight, or one that waits for a retry or another delivery", async () => {
    await test.record("retried", { destinations: ["d", "e"] });
    await test.record("first", { mac: 2, destinations: ["o"], orderKey: "k" });
    await test.record("second", { mac: 3, destinations: ["o"], orderKey: "k" });
    await test.record("newest", { mac: 4, destinations: [] });
    const [retried] = await test.claim();
    await test.settle(retried!, { state: "pending", dueAt: 900_000 });
    const [elsewhere] = await test.claim({ destination: "e" });
    await test.settle(elsewhere!);
    await test.claim({ destination: "o" });
    expect(await purge(1_000_000)).toMatchObject({ purged: { events: 0 } });
    expect(idsInStore()).toEqual(["retried", "first", "second", "newest"]);
  });

  it("deletes attempts and deliveries too, and counts them", async () => {
    await test.record("a", { destinations: ["d", "e"] });
    const [first] = await test.claim();
    await test.settle(first!, { state: "pending", dueAt: 5000 });
    await settleAll();
    const [other] = await test.claim({ destination: "e" });
    await test.settle(other!, { state: "exhausted" });
    await test.record("b", { mac: 2 });
    expect(await purge(1_000_000)).toMatchObject({
      purged: { events: 1, deliveries: 2, attempts: 3 },
    });
    for (const table of ["attempt", "delivery"]) {
      expect(
        readColumn(
          test.file,
          `SELECT count(*) FROM ${table} WHERE ${table === "attempt" ? "delivery_id < 3" : "event_seq = 1"}`,
        ),
      ).toEqual([0]);
    }
    const purged = (await test.entries()).filter(
      ({ action }) => action === "retention.purged",
    );
    expect(purged).toMatchObject([
      { metadata: { events: 1, deliveries: 2, attempts: 3 } },
    ]);
  });
});
