import { beforeEach, describe, expect, it } from "@jest/globals";
import {
  actionsOf,
  idsOf,
  KINDS,
  openStoreOfKind,
  type TestStore,
} from "../support/stores.ts";

describe.each(KINDS)("after crashes, a $name store", (kind) => {
  let test: TestStore;

  beforeEach(async () => {
    test = await openStoreOfKind(kind);
  });

  const isRepeatCrashDue = () =>
    test.store().isRepeatCrashDue({
      destination: "d",
      now: test.now(),
      dueUntil: test.now(),
    });

  it("counts crashes apart from the schedule, and exhausts the delivery at their limit", async () => {
    await test.record("a");
    for (const [attempt, crashes] of [
      [1, 0],
      [2, 1],
      [3, 2],
      [4, 3],
      [5, 4],
    ]) {
      expect((await test.claim())[0]).toMatchObject({
        attempt,
        scheduledAttempt: 1,
        crashes,
      });
      test.setClock(test.now() + 1000);
    }
    expect(await test.claim()).toEqual([]);
    const [event] = await test.store().findEvents("a");
    expect(event!.deliveries[0]).toMatchObject({
      state: "exhausted",
      attempt: 5,
      attempts: [1, 2, 3, 4, 5].map((attempt) => ({
        attempt,
        startedAt: 4000 + attempt * 1000,
        endedAt: null,
        ok: false,
        reason: "process_died",
      })),
    });
    expect(actionsOf(await test.entries()).slice(1)).toEqual([
      ...Array.from({ length: 4 }, () => "delivery.failed"),
      "delivery.exhausted",
    ]);
  });

  it("returns crashed deliveries one at a time or not at all, with other deliveries meanwhile", async () => {
    for (let n = 1; n <= 4; n += 1) {
      await test.record(`e${n}`, { mac: n });
    }
    await test.claim({ limit: 3 });
    test.setClock(test.now() + 1000);
    // Three are found lost. The fourth was never claimed.
    const none = { crashed: "none" } as const;
    const one = { crashed: "once" } as const;
    expect(idsOf(await test.claim({ limit: 10, ...none }))).toEqual(["e4"]);
    expect(await test.claim({ limit: 10, ...none })).toEqual([]);
    const [first, ...others] = await test.claim({ limit: 10, ...one });
    expect(first).toMatchObject({ crashes: 1 });
    expect(others).toEqual([]);
    await test.record("e5", { mac: 5 });
    expect(idsOf(await test.claim({ limit: 1, ...one }))).not.toContain("e5");
    expect(idsOf(await test.claim({ limit: 1, ...none }))).toEqual(["e5"]);
  });

  it("returns a crashed delivery at once when all due deliveries were lost", async () => {
    await test.record("a");
    await test.claim();
    test.setClock(test.now() + 1000);
    expect(await test.claim({ limit: 1, crashed: "once" })).toMatchObject([
      { attempt: 2, crashes: 1 },
    ]);
  });

  it("returns a delivery that crashed twice only to a claim for such deliveries, and alone", async () => {
    for (let n = 1; n <= 3; n += 1) {
      await test.record(`e${n}`, { mac: n });
    }
    const once = { crashed: "once" } as const;
    await test.claim({ limit: 1 });
    test.setClock(test.now() + 1000);
    for (const other of await test.claim({ limit: 9, ...once })) {
      await test.settle(other);
    }
    expect(await test.claim({ limit: 9, ...once })).toMatchObject([
      { crashes: 1, event: { id: "e1" } },
    ]);
    test.setClock(test.now() + 1000);
    await test.record("e4", { mac: 4 });
    expect(await isRepeatCrashDue()).toBe(false);
    expect(idsOf(await test.claim({ limit: 1, ...once }))).toEqual(["e4"]);
    expect(await isRepeatCrashDue()).toBe(true);
    await test.record("e5", { mac: 5 });
    const repeatedly = { crashed: "repeatedly" } as const;
    expect(await test.claim({ limit: 9, ...repeatedly })).toMatchObject([
      { crashes: 2, event: { id: "e1" } },
    ]);
    expect(await isRepeatCrashDue()).toBe(false);
    expect(idsOf(await test.claim({ limit: 9, ...repeatedly }))).toEqual([
      "e5",
    ]);
  });
});
