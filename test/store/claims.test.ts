import { beforeEach, describe, expect, it } from "@jest/globals";
import {
  idsOf,
  KINDS,
  openStoreOfKind,
  type TestStore,
} from "../support/stores.ts";

describe.each(KINDS)("claims in a $name store", (kind) => {
  let test: TestStore;

  beforeEach(async () => {
    test = await openStoreOfKind(kind);
  });

  it("return at most the limit, even when some attempts are found lost", async () => {
    await test.record("e1", { mac: 1 });
    await test.record("e2", { mac: 2 });
    await test.claim();
    await test.record("e3", { mac: 3, receivedAt: 6500 });
    await test.record("e4", { mac: 4, receivedAt: 6500 });
    test.setClock(7000);
    // The first two have been due longest. They are found lost and claimed again.
    expect(idsOf(await test.claim({ limit: 2 }))).toEqual(["e1", "e2"]);
    expect(idsOf(await test.claim({ limit: 2 }))).toEqual(["e3", "e4"]);
  });

  it("skip a crashed delivery that the caller is still attempting, after its lease too", async () => {
    await test.record("a");
    for (let crashes = 1; crashes <= 3; crashes += 1) {
      const [held] = await test.claim();
      expect(held).toMatchObject({ attempt: crashes, crashes: crashes - 1 });
      test.setClock(test.now() + 5000);
      const holding = new Set([held!.id]);
      for (const asked of ["any", "none", "once", "repeatedly"] as const) {
        expect(await test.claim({ crashed: asked, holding })).toEqual([]);
      }
      const [event] = await test.store().findEvents("a");
      expect(event!.deliveries[0]!.attempts).toHaveLength(crashes - 1);
    }
  });

  it("accept no result after they are released", async () => {
    await test.record("a");
    const [first] = await test.claim();
    await test.release(first!);
    expect(await test.settle(first!)).toBe(false);
    expect(await test.claim()).toMatchObject([{ attempt: 2 }]);
  });

  it("accept no result after an operator's redelivery", async () => {
    await test.record("a");
    const [first] = await test.claim();
    test.setClock(6000);
    expect(await test.redeliver(first!.id)).toEqual(["redelivered"]);
    expect((await test.entries()).slice(-2)).toMatchObject([
      {
        action: "delivery.failed",
        metadata: { eventId: "a", attempt: 1, reason: "process_died" },
      },
      { action: "delivery.redelivered", metadata: { attempt: 1 } },
    ]);
    expect(await test.settle(first!)).toBe(false);
    const [second] = await test.claim();
    expect(second).toMatchObject({ attempt: 2, scheduledAttempt: 1 });
    expect(await test.settle(second!)).toBe(true);
    const [event] = await test.store().findEvents("a");
    // The attempt without an outcome is recorded too.
    expect(event!.deliveries[0]!.attempts).toMatchObject([
      { attempt: 1, ok: false, reason: "process_died", endedAt: null },
      { attempt: 2, ok: true },
    ]);
  });

  it("of deliveries that wait for a retry or another delivery are not made earlier after a restart", async () => {
    await test.record("retried");
    const [first] = await test.claim();
    await test.settle(first!, { state: "pending", dueAt: 90_000 });
    await test.record("first", { mac: 2, orderKey: "k", destinations: ["o"] });
    await test.record("second", { mac: 3, orderKey: "k", destinations: ["o"] });
    await test.restart();
    expect(await test.store().nextDueAt("d")).toBe(90_000);
    expect(await test.claim()).toEqual([]);
    expect(idsOf(await test.claim({ destination: "o" }))).toEqual(["first"]);
  });

  it("are made again directly after a restart, before their lease ends", async () => {
    await test.record("a");
    await test.claim({ leaseUntil: 900_000 });
    await test.restart();
    expect(await test.claim()).toMatchObject([{ attempt: 2, crashes: 1 }]);
  });

  it("advance the order key when a delivery is exhausted after crashes", async () => {
    await test.record("fatal", { orderKey: "k" });
    await test.record("next", { mac: 2, orderKey: "k" });
    for (let deaths = 0; deaths < 5; deaths += 1) {
      expect(idsOf(await test.claim())).toEqual(["fatal"]);
      test.setClock(test.now() + 1000);
    }
    // This claim finds the fifth crash.
    expect(idsOf(await test.claim())).toEqual(["next"]);
    await test.trail();
  });

  it("of an HTTP destination are never exhausted because of crashes", async () => {
    await test.record("a");
    for (let attempt = 1; attempt <= 8; attempt += 1) {
      expect(await test.claim({ kind: "http" })).toMatchObject([
        { attempt, scheduledAttempt: 1 },
      ]);
      test.setClock(test.now() + 1000);
    }
  });

  it("keep a separate order at each destination, even with the same order keys", async () => {
    const both = { orderKey: "k", destinations: ["d", "e"] };
    await test.record("one", { mac: 1, ...both });
    await test.record("two", { mac: 2, ...both });
    const [atD] = await test.claim();
    const [atE] = await test.claim({ destination: "e" });
    expect([atD, atE].map((claimed) => claimed!.event.id)).toEqual([
      "one",
      "one",
    ]);
    // A delivery that ends at one destination does not advance the other.
    await test.settle(atD!);
    expect(await test.claim({ destination: "e" })).toEqual([]);
    expect(idsOf(await test.claim())).toEqual(["two"]);
    await test.settle(atE!);
    expect(idsOf(await test.claim({ destination: "e" }))).toEqual(["two"]);
  });

  it("are made at once on a redelivery during the wait for a retry, also with an order key", async () => {
    await test.record("one", { mac: 1, orderKey: "k" });
    await test.record("two", { mac: 2, orderKey: "k" });
    const [first] = await test.claim();
    await test.settle(first!, { state: "pending", dueAt: 90_000 });
    const [two] = await test.store().findEvents("two");
    // The other delivery must still wait.
    expect(await test.redeliver(first!.id, two!.deliveries[0]!.id)).toEqual([
      "redelivered",
      "in_flight",
    ]);
    const again = await test.claim();
    expect(idsOf(again)).toEqual(["one"]);
    await test.settle(again[0]!);
    expect(idsOf(await test.claim())).toEqual(["two"]);
  });

  it("start with a crash count of 0 after an operator's redelivery", async () => {
    await test.record("a");
    for (let deaths = 0; deaths < 5; deaths += 1) {
      await test.claim();
      test.setClock(test.now() + 1000);
    }
    expect(await test.claim()).toEqual([]);
    const [event] = await test.store().findEvents("a");
    expect(event!.deliveries[0]).toMatchObject({ state: "exhausted" });
    await test.redeliver(event!.deliveries[0]!.id);
    expect(await test.claim()).toMatchObject([{ attempt: 6, crashes: 0 }]);
    test.setClock(test.now() + 1000);
    expect(await test.claim()).toMatchObject([{ attempt: 7, crashes: 1 }]);
  });
});
