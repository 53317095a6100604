import { beforeEach, describe, expect, it } from "@jest/globals";
import {
  idsOf,
  KINDS,
  openStoreOfKind,
  type TestStore,
} from "../support/stores.ts";
import { publishedState } from "../support/published-state.ts";

const operator = "alice";

describe.each(KINDS)("discarding in a $name store", (kind) => {
  let test: TestStore;

  beforeEach(async () => {
    test = await openStoreOfKind(kind);
  });

  const discard = (...deliveryIds: number[]) =>
    test.store().discard({ deliveryIds, now: test.now(), operator });

  const deliveryOf = async (id: string) =>
    (await test.store().findEvents(id))[0]!.deliveries[0]!;

  const entriesOf = async (action: string) =>
    (await test.entries()).filter((entry) => entry.action === action);

  it("ends pending and exhausted deliveries, each with an entry, and no others", async () => {
    for (const [n, id] of ["new", "given_up", "done"].entries()) {
      await test.record(id, { mac: n + 1 });
    }
    const [fresh, givenUp, done] = await test.claim();
    await test.settle(givenUp!, { state: "exhausted" });
    await test.settle(done!);
    await test.release(fresh!);

    const ids = [fresh!.id, givenUp!.id, done!.id];
    expect(await discard(...ids, 999)).toEqual([
      "discarded",
      "discarded",
      "ended",
      "unknown",
    ]);
    expect(await discard(...ids)).toEqual(["ended", "ended", "ended"]);

    expect(await test.claim()).toEqual([]);
    expect((await deliveryOf("new")).state).toBe("discarded");
    expect(await entriesOf("delivery.discarded")).toMatchObject([
      {
        userId: "operator:alice",
        metadata: { eventId: "new", state: "pending", deliveryId: fresh!.id },
      },
      { metadata: { eventId: "given_up", state: "exhausted", attempt: 1 } },
    ]);
  });

  it("skips a delivery with an attempt in flight, whose result is recorded", async () => {
    await test.record("a");
    const [claimed] = await test.claim();
    expect(await discard(claimed!.id)).toEqual(["in_flight"]);
    expect(await test.settle(claimed!)).toBe(true);
    expect((await deliveryOf("a")).state).toBe("succeeded");
    expect(await entriesOf("delivery.discarded")).toEqual([]);
  });

  it("ends a lost lease, and drops the late result of its attempt", async () => {
    await test.record("a");
    const [claimed] = await test.claim();
    test.setClock(test.now() + 1000);
    expect(await discard(claimed!.id)).toEqual(["discarded"]);
    expect(await test.settle(claimed!)).toBe(false);
    expect(await deliveryOf("a")).toMatchObject({
      state: "discarded",
      attempts: [{ attempt: 1, reason: "process_died" }],
    });
    expect(await entriesOf("delivery.failed")).toMatchObject([
      {
        userId: "worker",
        resource: "/destinations/d",
        result: "failure",
        metadata: {
          eventId: "a",
          deliveryId: claimed!.id,
          attempt: 1,
          reason: "process_died",
          crashes: 1,
        },
      },
    ]);
    const actions = (await test.entries()).map(({ action }) => action);
    expect(actions.slice(-2)).toEqual([
      "delivery.failed",
      "delivery.discarded",
    ]);
  });

  it("makes the next delivery of an order key due only when the first one was discarded", async () => {
    for (const [n, id] of ["a", "b", "c", "d"].entries()) {
      await test.record(id, { mac: n + 1, orderKey: "k" });
    }
    const ids = new Map<string, number>();
    for (const id of ["a", "b", "c", "d"]) {
      ids.set(id, (await deliveryOf(id)).id);
    }
    const [first] = await test.claim();
    // A waiting delivery is discarded, which must not end the lease of the first one.
    expect(await discard(ids.get("b")!)).toEqual(["discarded"]);
    expect(await test.claim()).toEqual([]);
    expect(await deliveryOf("a")).toMatchObject({ inFlight: true });
    await test.settle(first!, { state: "pending", dueAt: test.now() + 60_000 });
    expect(await test.claim()).toEqual([]);

    expect(await discard(ids.get("a")!)).toEqual(["discarded"]);
    expect(idsOf(await test.claim())).toEqual(["c"]);
  });

  it("can be undone by a redelivery, on a new schedule and in the order of its key", async () => {
    await test.record("a", { mac: 1, orderKey: "k" });
    await test.record("b", { mac: 2, orderKey: "k" });
    const { id } = await deliveryOf("a");
    await discard(id);
    const [second] = await test.claim();
    expect(await test.redeliver(id)).toEqual(["redelivered"]);
    expect(await test.claim()).toEqual([]);
    await test.settle(second!);
    const claimed = await test.claim();
    expect(idsOf(claimed)).toEqual(["a"]);
    expect(claimed[0]).toMatchObject({ attempt: 1, scheduledAttempt: 1 });
    expect(await entriesOf("delivery.redelivered")).toMatchObject([
      { metadata: { state: "discarded" } },
    ]);
  });

  it("lets a list find the discarded deliveries among many other events", async () => {
    for (let n = 0; n < 5; n += 1) {
      await test.record(`e${n}`, { mac: n + 1 });
    }
    await discard((await deliveryOf("e1")).id, (await deliveryOf("e3")).id);
    const { events } = await test.store().scanEvents({
      filter: {
        state: "discarded",
        destination: null,
        source: null,
        type: null,
        since: null,
        until: null,
      },
      order: "newest",
      from: null,
      limit: 10,
    });
    expect(events.map(({ id }) => id)).toEqual(["e3", "e1"]);
  });
});

describe.each(KINDS)("added deliveries of a $name store", (kind) => {
  let test: TestStore;

  beforeEach(async () => {
    test = await openStoreOfKind(kind);
  });

  const add = async (ids: readonly string[], orderKey: string | null = null) =>
    test.store().addDeliveries({
      deliveries: await Promise.all(
        ids.map(async (id) => ({
          eventSeq: (await test.store().findEvents(id))[0]?.seq ?? 999,
          destination: "d",
          orderKey,
        })),
      ),
      now: test.now(),
      operator,
    });

  it("are created once for each event and destination, each with an entry", async () => {
    await test.record("a", { mac: 1, destinations: [] });
    await test.record("b", { mac: 2, destinations: ["other"] });
    await test.record("c", { mac: 3 });
    expect(await add(["a", "b", "c", "gone"])).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(await add(["a", "b", "c"])).toEqual([false, false, false]);
    expect(idsOf(await test.claim())).toEqual(["c", "a", "b"]);
    const entries = await test.entries();
    expect(
      entries.filter(({ action }) => action === "delivery.redelivered"),
    ).toMatchObject([
      {
        userId: "operator:alice",
        metadata: { eventId: "a", created: true, state: "pending", attempt: 0 },
      },
      { metadata: { eventId: "b", created: true } },
    ]);
  });

  it("keep the order of their events within an order key", async () => {
    await test.record("old", { mac: 1, destinations: [] });
    await test.record("first", { mac: 2, orderKey: "k" });
    await test.record("second", { mac: 3, orderKey: "k" });
    expect(await add(["old"], "k")).toEqual([true]);
    const order: string[] = [];
    for (let n = 0; n < 3; n += 1) {
      const [claimed, ...others] = await test.claim();
      expect(others).toEqual([]);
      order.push(claimed!.event.id);
      await test.settle(claimed!);
    }
    // The first was due before the delivery of the older event was added.
    expect(order).toEqual(["first", "old", "second"]);
  });

  it("have the exact bytes of their events", async () => {
    await test.record("a", { body: '{"id":"\u00e4"}' });
    const [event] = await test.store().findEvents("a");
    const body = await test.store().readBody(event!.seq);
    expect(body).toEqual(Buffer.from('{"id":"\u00e4"}'));
    expect(await test.store().readBody(999)).toBeNull();
  });

  it("and redeliveries are not made for a destination that is not configured", async () => {
    await test.record("a");
    const [{ id } = { id: 0 }] = (await test.store().findEvents("a"))[0]!
      .deliveries;
    const ask = (destinations: readonly string[]) =>
      test.store().redeliver({
        deliveryIds: [id],
        now: test.now(),
        operator,
        destinations,
      });
    expect(await ask(["other"])).toEqual(["destination_gone"]);
    expect(await ask(["other", "d"])).toEqual(["redelivered"]);
  });
});

describe.each(KINDS)("the published status in a $name store", (kind) => {
  it("is the last one of each process run, newest first, and is deleted after a day", async () => {
    const test = await openStoreOfKind(kind);
    const destination = {
      name: "d",
      kind: "http",
      sources: ["hex"],
      events: ["*"],
      orderBy: null,
      breaker: "open",
      probeAt: 6000,
      isRateLimited: false,
    } as const;
    await test.store().publishStatus(publishedState([destination]));
    test.setClock(6000);
    const other = await test.openAgain();
    await other.publishStatus(publishedState());
    await other.publishStatus(
      publishedState([{ ...destination, breaker: "closed" }]),
    );
    expect(await test.store().processStatuses()).toMatchObject([
      {
        writer: "w2",
        publishedAt: 6000,
        destinations: [{ ...destination, breaker: "closed" }],
      },
      { writer: "w1", publishedAt: 5000, destinations: [destination] },
    ]);
    test.setClock(86_405_500);
    await other.publishStatus(publishedState());
    expect(await test.store().processStatuses()).toMatchObject([
      { writer: "w2" },
    ]);
  });
});
