import { beforeEach, describe, expect, it } from "@jest/globals";
import {
  actionsOf,
  idsOf,
  KINDS,
  openStoreOfKind,
  type TestStore,
} from "../support/stores.ts";

describe.each(KINDS)("the delivery queue of a $name store", (kind) => {
  let test: TestStore;

  beforeEach(async () => {
    test = await openStoreOfKind(kind);
  });

  it("returns a delivery again after its lease has ended, and drops the late result", async () => {
    await test.record("a");
    const [first] = await test.claim();
    test.setClock(test.now() + 1000);
    const [second] = await test.claim();
    expect([first!.attempt, second!.attempt]).toEqual([1, 2]);

    expect(await test.settle(first!)).toBe(false);
    expect(await test.settle(second!)).toBe(true);
    expect(await test.settle(second!)).toBe(false);
    expect(await test.store().nextDueAt("d")).toBeNull();
    expect(actionsOf(await test.entries())).toEqual([
      "webhook.accepted",
      "delivery.failed",
      "delivery.succeeded",
    ]);
  });

  it("makes a failed delivery due at its retry time, and a released one at once", async () => {
    await test.record("a");
    const [first] = await test.claim();
    await test.settle(first!, { state: "pending", dueAt: 9000 });
    expect(await test.claim()).toEqual([]);
    test.setClock(9000);
    const [again] = await test.claim();
    expect(again).toMatchObject({ attempt: 2, scheduledAttempt: 2 });
    await test.release(again!);
    await test.release(first!);
    // A shutdown interrupted it: the next attempt is new, but does not count for the schedule.
    expect((await test.claim())[0]).toMatchObject({
      attempt: 3,
      scheduledAttempt: 2,
      crashes: 0,
    });
  });

  it("returns at most the limit, and the longest due first", async () => {
    for (let n = 1; n <= 5; n += 1) {
      await test.record(`e${n}`, { mac: n });
    }
    const taken = await test.claim({ limit: 2 });
    expect(taken.map(({ event }) => event.id)).toEqual(["e1", "e2"]);
    expect(await test.claim()).toHaveLength(3);
    expect(await test.claim({ destination: "other" })).toEqual([]);
  });

  it("ends the leases of dead processes at startup, and no others", async () => {
    await test.record("a");
    await test.claim({ leaseUntil: test.now() + 60_000 });
    const second = await test.openAgain();
    expect(await second.nextDueAt("d")).toBe(test.now() + 60_000);
    await second.close();
    await test.restart();
    expect((await test.claim())[0]).toMatchObject({ attempt: 2 });
  });

  it("does not end leases when a command opens it, even of a dead process", async () => {
    await test.record("a");
    await test.claim({ leaseUntil: test.now() + 60_000 });
    await test.store().close();
    const command = await test.openAgain({ delivers: false });
    expect(await command.nextDueAt("d")).toBe(test.now() + 60_000);
  });

  it("never claims a delivery that the caller is still attempting, after its lease too", async () => {
    for (let n = 1; n <= 3; n += 1) {
      await test.record(`e${n}`, { mac: n });
    }
    const [first] = await test.claim({ limit: 1 });
    test.setClock(test.now() + 60_000);
    const holding = new Set([first!.id]);
    for (const crashed of ["any", "repeatedly", "once", "none"] as const) {
      expect(
        idsOf(await test.claim({ limit: 1, holding, crashed })),
      ).not.toContain("e1");
    }
    expect(await test.settle(first!)).toBe(true);
  });

  it("claims only a few large bodies at once, and the others with the next claims", async () => {
    const body = "x".repeat(1_500_000);
    for (let n = 1; n <= 5; n += 1) {
      await test.record(`e${n}`, { mac: n, body });
    }
    expect(idsOf(await test.claim())).toEqual(["e1", "e2"]);
    expect(idsOf(await test.claim())).toEqual(["e3", "e4"]);
    expect(idsOf(await test.claim())).toEqual(["e5"]);
  });

  it("makes deliveries due again on a new schedule, each with an entry, unless an attempt is in flight", async () => {
    await test.record("a", { destinations: ["d", "e"] });
    const [first] = await test.claim();
    expect(await test.redeliver(first!.id, 999)).toEqual([
      "in_flight",
      "unknown",
    ]);
    await test.settle(first!, { state: "exhausted" });
    test.setClock(7000);

    expect(await test.redeliver(first!.id)).toEqual(["redelivered"]);

    expect((await test.claim())[0]).toMatchObject({
      id: first!.id,
      attempt: 2,
      scheduledAttempt: 1,
      startedAt: 7000,
    });
    expect(
      actionsOf(await test.entries()).filter(
        (action) => action === "delivery.redelivered",
      ),
    ).toHaveLength(1);
  });

  it("returns deliveries of an order key one after another, and others meanwhile", async () => {
    for (const [n, key] of ["k", "k", "other", "k"].entries()) {
      await test.record(`e${n}`, { mac: n + 1, orderKey: key });
    }
    await test.record("free", { mac: 9 });

    const first = await test.claim();
    expect(idsOf(first)).toEqual(["e0", "e2", "free"]);
    expect(await test.claim()).toEqual([]);
    await test.settle(first[1]!);
    await test.settle(first[2]!);
    await test.settle(first[0]!, { state: "pending", dueAt: 9000 });
    expect(await test.claim()).toEqual([]);
    test.setClock(9000);
    const again = await test.claim({ limit: 10 });
    expect(idsOf(again)).toEqual(["e0"]);
    await test.settle(again[0]!, { state: "exhausted" });
    const second = await test.claim();
    expect(idsOf(second)).toEqual(["e1"]);
    // e0 is redelivered while e1 is in flight, so e0 is the next delivery of its key.
    expect(await test.redeliver(again[0]!.id)).toEqual(["redelivered"]);
    expect(await test.claim()).toEqual([]);
    await test.settle(second[0]!);
    const third = await test.claim();
    expect(idsOf(third)).toEqual(["e0"]);
    await test.release(third[0]!);
    const fourth = await test.claim();
    expect(idsOf(fourth)).toEqual(["e0"]);
    await test.settle(fourth[0]!);
    expect(idsOf(await test.claim())).toEqual(["e3"]);
  });
});
