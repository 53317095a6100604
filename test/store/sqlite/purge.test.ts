import { beforeEach, describe, expect, it } from "@jest/globals";
import type { Store } from "../../../src/store/port.ts";
import {
  actionsOf,
  openStoreOfKind,
  SQLITE_KINDS,
  type TestStore,
} from "../../support/stores.ts";

/* The exact steps and numbers of SQLite. `test/store/purge.test.ts` has what every store does. */

describe.each(SQLITE_KINDS)("the purge of a $name store", (kind) => {
  let test: TestStore;

  beforeEach(async () => {
    test = await openStoreOfKind(kind);
  });

  const step = (receivedBefore: number, from: number | null = null) =>
    test.store().purge({ now: 1_000_000, receivedBefore, from });

  /** Makes all steps and returns them. */
  async function sweep(receivedBefore: number) {
    const steps: Awaited<ReturnType<Store["purge"]>>[] = [];
    let from: number | null = null;
    do {
      const made: Awaited<ReturnType<Store["purge"]>> = await step(
        receivedBefore,
        from,
      );
      steps.push(made);
      from = made.next;
    } while (from !== null);
    return steps;
  }
  const idsInStore = () =>
    test.database.query("SELECT id FROM event ORDER BY seq");
  const settleAll = async () => {
    for (const claimed of await test.claim()) {
      await test.settle(claimed);
    }
  };

  it("is exact to the millisecond", async () => {
    for (const receivedAt of [3999, 4000, 4001]) {
      await test.record(`e${receivedAt}`, { receivedAt, destinations: [] });
    }
    await test.record("newest", { receivedAt: 9000, destinations: [] });
    expect(await step(4000)).toMatchObject({ purged: { events: 1 } });
    expect(await idsInStore()).toEqual([["e4000"], ["e4001"], ["newest"]]);
  });

  it("deletes the rows of some events of a day, with one entry, and keeps undelivered ones", async () => {
    for (let n = 1; n <= 6; n += 1) {
      await test.record(`e${n}`, { receivedAt: 1000 * n });
    }
    test.setClock(10_000);
    for (const delivery of await test.claim()) {
      if (delivery.event.id !== "e2") {
        await test.settle(delivery);
      }
    }
    expect(await step(4001)).toMatchObject({
      purged: { events: 3, deliveries: 3, attempts: 3 },
    });
    expect(await step(4001)).toMatchObject({ purged: { events: 0 } });
    expect(await idsInStore()).toEqual([["e2"], ["e5"], ["e6"]]);
    expect(
      actionsOf(await test.entries()).filter(
        (action) => action === "retention.purged",
      ),
    ).toHaveLength(1);
  });

  it("keeps the newest event and the newest delivery, whose numbers would be assigned again", async () => {
    await test.record("delivered");
    await settleAll();
    await test.record("unrouted", { destinations: [] });
    await sweep(1_000_000);
    expect(await idsInStore()).toEqual([["delivered"], ["unrouted"]]);
    await test.record("next");
    await test.restart();
    const [next] = await test.claim();
    expect(next).toMatchObject({ id: 2, attempt: 1, event: { id: "next" } });
    expect(next!.event.seq).toBe(3);
  });

  it("deletes a few large bodies in one step and the others in the next steps", async () => {
    const body = "x".repeat(1_500_000);
    for (let n = 1; n <= 5; n += 1) {
      await test.record(`e${n}`, { body, destinations: [] });
    }
    const steps = await sweep(1_000_000);
    expect(steps.slice(0, 2).map(({ purged }) => purged.events)).toEqual([
      2, 2,
    ]);
    expect(await idsInStore()).toEqual([["e5"]]);
  });

  it("skips old events that are undelivered in bounded steps, and stops at the first new one", async () => {
    await Promise.all(
      Array.from({ length: 450 }, (_, n) =>
        test.record(`e${n}`, { receivedAt: n }),
      ),
    );
    const steps = await sweep(1000);
    expect(steps.map(({ purged }) => purged.events)).toEqual(
      steps.map(() => 0),
    );
    expect(steps.length).toBeGreaterThan(2);
    expect((await step(0)).next).toBeNull();
  });

  it("deletes old events after those that a wrong clock stored with a future time", async () => {
    for (let n = 0; n < 450; n += 1) {
      await test.record(`e${n}`, {
        destinations: [],
        receivedAt: n < 300 ? 9_000_000 : 1000,
      });
    }
    const steps = await sweep(5000);
    // All except the newest, whose number must not be reused.
    expect(steps.reduce((sum, { purged }) => sum + purged.events, 0)).toBe(149);
  });
});

describe.each(SQLITE_KINDS)("the replay claims of a $name store", (kind) => {
  it("have no row for a replay or for an accepted event, and are deleted in batches", async () => {
    const test = await openStoreOfKind(kind);
    const claims = () =>
      test.database.query("SELECT claimed_at FROM replay_claim ORDER BY 1");
    await test.record("a", { mac: 1 });
    await test.record("a", { mac: 2, body: "{ }" });
    await test.record("a", { mac: 1 });
    await test.record("a", { mac: 2, body: "{ }" });
    expect(await claims()).toEqual([[5000]]);
    await test.record("a", { mac: 3, signedAt: 1001 });
    await test.record("a", { mac: 4, signedAt: 2000 });
    await test.record("a", { mac: 5, signedAt: null });
    expect(await test.store().forgetReplays(2000, 1)).toBe(1);
    expect(await test.store().forgetReplays(2000, 10)).toBe(1);
    expect(await test.store().forgetReplays(2000, 10)).toBe(0);
    expect(await claims()).toHaveLength(2);
  });

  it("without a signed time are deleted exactly with their events", async () => {
    const test = await openStoreOfKind(kind);
    for (const receivedAt of [1000, 4000, 9000]) {
      const id = `e${receivedAt}`;
      const timeless = { signedAt: null, receivedAt };
      await test.record(id, { ...timeless, mac: receivedAt });
      await test.record(id, { ...timeless, mac: receivedAt + 1, body: "{ }" });
    }
    await test.store().purge({ now: 10_000, receivedBefore: 4000, from: null });
    expect(
      await test.database.query(
        "SELECT claimed_at FROM replay_claim ORDER BY 1",
      ),
    ).toEqual([[4000], [9000]]);
  });
});
