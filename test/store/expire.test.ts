import { beforeEach, describe, expect, it } from "@jest/globals";
import {
  idsOf,
  KINDS,
  openStoreOfKind,
  type TestStore,
} from "../support/stores.ts";

describe.each(KINDS)("deliveries that are too old in a $name store", (kind) => {
  let test: TestStore;

  beforeEach(async () => {
    test = await openStoreOfKind(kind);
  });

  /** Exhausts all deliveries that became pending before a time. Returns their ids. */
  async function expire(
    pendingBefore: number,
    holding: number[] = [],
  ): Promise<number> {
    return test.store().expire({
      destination: "d",
      now: test.now(),
      pendingBefore,
      holding: new Set(holding),
    });
  }

  const stateOf = async (id: string) => {
    const [event] = await test.store().findEvents(id);
    return event!.deliveries[0]!;
  };

  it("are exhausted even before they are due, each with an entry, and newer ones are not", async () => {
    await test.record("old", { receivedAt: 1000 });
    await test.record("waits", { mac: 2, receivedAt: 1500 });
    await test.record("young", { mac: 3, receivedAt: 2000 });
    await test.record("other", {
      mac: 4,
      receivedAt: 1000,
      destinations: ["e"],
    });
    const [old, waits, young] = await test.claim();
    expect(waits!.event.id).toBe("waits");
    await test.settle(waits!, { state: "pending", dueAt: 9_000_000 });
    await test.release(old!);
    await test.release(young!);

    expect(await expire(2000)).toBe(2);
    expect(await expire(2000)).toBe(0);
    for (const [id, state] of [
      ["old", "exhausted"],
      ["waits", "exhausted"],
      ["young", "pending"],
      ["other", "pending"],
    ] as const) {
      expect([id, (await stateOf(id)).state]).toEqual([id, state]);
    }
    const entries = (await test.entries()).filter(
      ({ action }) => action === "delivery.exhausted",
    );
    expect(entries).toMatchObject([
      {
        userId: "worker",
        result: "failure",
        resource: "/destinations/d",
        metadata: {
          source: "hex",
          eventId: "old",
          eventType: "t",
          deliveryId: old!.id,
          attempt: 1,
          reason: "too_old",
          pendingSince: "1970-01-01T00:00:01.000Z",
        },
      },
      {
        metadata: {
          eventId: "waits",
          pendingSince: "1970-01-01T00:00:01.500Z",
        },
      },
    ]);
    expect(idsOf(await test.claim())).toEqual(["young"]);
  });

  it("are skipped while this process or another one attempts them", async () => {
    await test.record("leased", { receivedAt: 1000 });
    const [claimed] = await test.claim();
    expect(await expire(2000)).toBe(0);
    test.setClock(test.now() + 2000);
    // The lease has ended, but the process of the attempt is alive.
    expect(await expire(2000, [claimed!.id])).toBe(0);
    expect(await test.settle(claimed!)).toBe(true);
  });

  it("are exhausted after the process died during an attempt, which is recorded", async () => {
    await test.record("lost", { receivedAt: 1000 });
    const [claimed] = await test.claim();
    test.setClock(test.now() + 2000);
    expect(await expire(2000)).toBe(1);
    expect(await stateOf("lost")).toMatchObject({
      state: "exhausted",
      attempts: [{ attempt: 1, reason: "process_died", endedAt: null }],
    });
    expect(await test.settle(claimed!)).toBe(false);
    expect((await test.entries()).slice(-2)).toMatchObject([
      {
        action: "delivery.failed",
        metadata: { eventId: "lost", attempt: 1, reason: "process_died" },
      },
      { action: "delivery.exhausted", metadata: { reason: "too_old" } },
    ]);
  });

  it("advance their order key only if they were its first delivery", async () => {
    for (const [n, receivedAt] of [1000, 1100, 2000, 2100].entries()) {
      await test.record(`k${n}`, { mac: n + 1, receivedAt, orderKey: "k" });
    }
    // One step exhausts both old deliveries. The first makes the second due, and the second makes the third due.
    expect(await expire(1500)).toBe(2);
    const [third] = await test.claim();
    expect(third!.event.id).toBe("k2");
    await test.settle(third!, { state: "pending", dueAt: 60_000 });
    await test.record("k4", { mac: 9, receivedAt: 1200, orderKey: "k" });
    // k4 waits for k2, whose due time does not change when k4 is exhausted.
    expect(await expire(1500)).toBe(1);
    expect(await test.claim()).toEqual([]);
    expect(await stateOf("k2")).toMatchObject({ nextAttemptAt: 60_000 });
  });

  it("have their age counted from their redelivery", async () => {
    await test.record("again", { receivedAt: 1000 });
    expect(await expire(2000)).toBe(1);
    const { id } = await stateOf("again");
    await test.redeliver(id);
    expect(await expire(test.now())).toBe(0);
    expect(await expire(test.now() + 1)).toBe(1);
  });

  it("are exhausted in steps when there are many", async () => {
    for (let n = 0; n < 250; n += 1) {
      await test.record(`e${n}`, { mac: n, receivedAt: 1000 });
    }
    const steps: number[] = [];
    do {
      steps.push(await expire(2000));
    } while (steps.at(-1)! > 0);
    expect(steps).toEqual([100, 100, 50, 0]);
  });
});
