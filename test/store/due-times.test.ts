import { beforeEach, describe, expect, it } from "@jest/globals";
import { AFTER_ANOTHER } from "../../src/store/limits.ts";
import {
  idsOf,
  KINDS,
  openStoreOfKind,
  type TestStore,
} from "../support/stores.ts";

describe.each(KINDS)("due times in a $name store", (kind) => {
  let test: TestStore;

  beforeEach(async () => {
    test = await openStoreOfKind(kind);
  });

  const dueTimes = async () =>
    (
      await test.database.query("SELECT due_at FROM delivery ORDER BY id")
    ).flat();
  /** The limits: a retry after at most 60 s, a lease of 15 s. */
  const limit = (now: number) =>
    test.store().limitDueTimes({
      destination: "d",
      now,
      retryUntil: now + 60_000,
      leaseUntil: now + 15_000,
    });

  it("are limited after a clock was set back, and the others do not change", async () => {
    test.setClock(10_000_000);
    const receivedAt = test.now();
    await test.record("retried", { mac: 1, receivedAt });
    const [retried] = await test.claim();
    await test.settle(retried!, { state: "pending", dueAt: 10_500_000 });
    await test.record("in flight", { mac: 2, receivedAt });
    await test.claim({ leaseUntil: 10_015_000 });
    await test.record("new", { mac: 3, receivedAt, orderKey: "k" });
    await test.record("after it", { mac: 4, receivedAt, orderKey: "k" });
    await test.record("elsewhere", { mac: 5, receivedAt, destinations: ["x"] });
    await limit(1_000_000);
    const limited = [
      1_060_000,
      1_015_000,
      1_000_000,
      AFTER_ANOTHER,
      10_000_000,
    ];
    expect(await dueTimes()).toEqual(limited);
    await limit(2_000_000);
    expect(await dueTimes()).toEqual(limited);
  });

  it("are compared with `dueUntil`, but a lease ends by the wall clock", async () => {
    await test.record("waits", { receivedAt: 6000 });
    expect(await test.claim({ dueUntil: 5999 })).toEqual([]);
    expect(idsOf(await test.claim({ dueUntil: 6000 }))).toEqual(["waits"]);
    // The lease lasts until 6000.
    expect(await test.claim({ dueUntil: 9000 })).toEqual([]);
    expect(
      await test.claim({ now: 6000, dueUntil: 9000, leaseUntil: 9001 }),
    ).toMatchObject([{ crashes: 1 }]);
  });

  it("and earlier probes decide which event the next probe takes", async () => {
    for (const [n, type] of ["a", "b", "a", "a"].entries()) {
      await test.record(`e${n + 1}`, { mac: n + 1, type });
    }
    await test.record("not due", { mac: 9, receivedAt: 9000 });
    const probed: number[] = [];
    const probe = async (crashed: "any" | "none" = "any") => {
      const [delivery] = await test.claim({ limit: 1, probed, crashed });
      probed.push(delivery!.event.seq);
      await test.settle(delivery!, { state: "pending", dueAt: 5000 });
      return delivery!.event.id;
    };
    // First the newest event, then one of another type, then the others, then from the beginning.
    expect([
      await probe(),
      await probe(),
      await probe(),
      await probe(),
    ]).toEqual(["e4", "e2", "e3", "e1"]);
    expect(await probe()).toBe("e4");
    // A crashed delivery is left to the quarantine.
    probed.splice(0);
    test.setClock(5001);
    await test.claim({ limit: 1, probed, leaseUntil: 5002 });
    test.setClock(8000);
    await test.claim({ limit: 9, leaseUntil: 8001 });
    test.setClock(8500);
    await test.record("fresh", { mac: 10, receivedAt: 8400 });
    expect(await probe("none")).toBe("fresh");
  });

  it("and other stored times give the newest time that is not in the future", async () => {
    const newest = (now: number) => test.store().newestTime(now);
    expect(await newest(1_000_000)).toBeNull();
    await test.record("a", { receivedAt: 7000 });
    // The store's clock, which wrote when its writer was last seen.
    expect(await newest(6000)).toBe(5000);
    expect(await newest(7000)).toBe(7000);
    expect(await newest(1_000_000)).toBe(7000);
    expect(await newest(4000)).toBeNull();
  });
});
