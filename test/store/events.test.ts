import { beforeEach, describe, expect, it } from "@jest/globals";
import { createHash } from "node:crypto";
import type { Store } from "../../src/store/port.ts";
import type { EventFilter, EventScan } from "../../src/store/records.ts";
import { KINDS, openStoreOfKind, type TestStore } from "../support/stores.ts";

const EVERY_EVENT: EventFilter = {
  state: null,
  destination: null,
  source: null,
  type: null,
  since: null,
  until: null,
};

describe.each(KINDS)("the events of a $name store", (kind) => {
  let test: TestStore;

  beforeEach(async () => {
    test = await openStoreOfKind(kind);
  });

  /** Scans to the end. */
  async function walk(
    scan: Omit<Partial<EventScan>, "filter"> & {
      filter?: Partial<EventFilter>;
    } = {},
  ): Promise<{ ids: string[]; steps: number }> {
    const ids: string[] = [];
    let from: number | null = null;
    let steps = 0;
    do {
      const step: Awaited<ReturnType<Store["scanEvents"]>> = await test
        .store()
        .scanEvents({
          order: "newest",
          limit: 100,
          ...scan,
          filter: { ...EVERY_EVENT, ...scan.filter },
          from,
        });
      ids.push(...step.events.map(({ id }) => id));
      from = step.next;
      steps += 1;
    } while (from !== null);
    return { ids, steps };
  }

  it("are shown with their deliveries and attempts, once for each source that has the id", async () => {
    await test.record("a", { body: '{"x":1}' });
    await test.record("a", { source: "other", mac: 2 });
    const [first] = await test.claim({ limit: 1 });
    test.setClock(5007);
    await test.settle(first!, { state: "pending", dueAt: 9000 });

    const events = await test.store().findEvents("a");

    expect(events.map(({ source }) => source).sort()).toEqual(["hex", "other"]);
    expect(events.find(({ source }) => source === "hex")).toMatchObject({
      type: "t",
      receivedAt: 5000,
      bodyBytes: 7,
      bodySha256: createHash("sha256").update('{"x":1}').digest("hex"),
      headers: {},
      deliveries: [
        {
          destination: "d",
          state: "pending",
          attempt: 1,
          inFlight: false,
          nextAttemptAt: 9000,
          attempts: [
            {
              attempt: 1,
              startedAt: 5000,
              endedAt: 5007,
              ok: false,
              status: 500,
              reason: "status",
              detail: null,
            },
          ],
        },
      ],
    });
    expect(await test.store().findEvents("b")).toEqual([]);
  });

  it("show an attempt as in flight until its lease ends", async () => {
    await test.record("a");
    await test.claim();
    const shown = async () =>
      (await test.store().findEvents("a"))[0]!.deliveries[0];
    expect(await shown()).toMatchObject({
      inFlight: true,
      nextAttemptAt: null,
    });
    test.setClock(6000);
    expect(await shown()).toMatchObject({
      inFlight: false,
      nextAttemptAt: 6000,
    });
  });

  it("are scanned in both directions, in bounded steps that resume where the last one ended", async () => {
    const total = 1234;
    await Promise.all(
      Array.from({ length: total }, (_, n) =>
        test.record(`e${n}`, {
          mac: n,
          type: n % 2 === 0 ? "even" : "odd",
          destinations: n % 100 === 0 ? ["rare"] : ["d"],
          receivedAt: 1000 + n,
        }),
      ),
    );
    const names = Array.from({ length: total }, (_, n) => `e${n}`);
    expect((await walk({ order: "oldest", limit: 77 })).ids).toEqual(names);
    const newest = await walk({ limit: 10_000 });
    expect(newest.ids).toEqual([...names].reverse());
    expect(newest.steps).toBeGreaterThan(2);
    const filtered = async (filter: Partial<EventFilter>) =>
      (await walk({ filter })).ids;
    expect(await filtered({ destination: "rare" })).toHaveLength(13);
    expect(await filtered({ type: "o*d" })).toHaveLength(total / 2);
    expect(await filtered({ since: 1000 + total - 5 })).toHaveLength(5);
    const between = { since: 1003, until: 1005 };
    expect(await filtered(between)).toEqual(["e5", "e4", "e3"]);
    expect((await walk({ order: "oldest", filter: between })).ids).toEqual([
      "e3",
      "e4",
      "e5",
    ]);
    expect(await filtered({ source: "other" })).toEqual([]);
    expect(await filtered({ state: "exhausted" })).toEqual([]);

    for (const delivery of await test.claim({ limit: 3 })) {
      await test.settle(delivery, { state: "exhausted" });
    }
    expect(await filtered({ state: "exhausted" })).toEqual(["e3", "e2", "e1"]);
    expect(await filtered({ state: "exhausted", destination: "rare" })).toEqual(
      [],
    );
    const exhausted = { state: "exhausted" } as const;
    expect(
      (await walk({ order: "oldest", limit: 1, filter: exhausted })).ids,
    ).toEqual(["e1", "e2", "e3"]);
    expect(await test.store().countDeliveries()).toEqual(
      expect.arrayContaining([
        { destination: "d", pending: total - 13 - 3, exhausted: 3 },
        { destination: "rare", pending: 13, exhausted: 0 },
      ]),
    );
  });

  it("are scanned over many days, and those without a delivery can be found", async () => {
    const days = [0, 1, 2, 40, 41, 400];
    for (const day of days) {
      await test.record(`e${day}`, {
        receivedAt: day * 86_400_000,
        destinations: day === 40 ? [] : ["d"],
      });
    }
    const names = days.map((day) => `e${day}`);
    expect((await walk({ order: "oldest", limit: 2 })).ids).toEqual(names);
    expect((await walk({ limit: 2 })).ids).toEqual([...names].reverse());
    expect((await walk({ filter: { unrouted: true } })).ids).toEqual(["e40"]);
    expect((await walk({ filter: { since: 41 * 86_400_000 } })).ids).toEqual([
      "e400",
      "e41",
    ]);
    const until = 40 * 86_400_000 - 1;
    expect((await walk({ filter: { until } })).ids).toEqual(["e2", "e1", "e0"]);
  });

  it("are all found by a search after the clock was set back by less than an hour", async () => {
    await test.record("before", { receivedAt: 10_000_000 });
    await Promise.all(
      Array.from({ length: 600 }, (_, n) =>
        test.record(`after ${n}`, { receivedAt: 8_000_000, destinations: [] }),
      ),
    );
    expect((await walk({ filter: { since: 9_000_000 } })).ids).toEqual([
      "before",
    ]);
    const early = { order: "oldest", filter: { until: 9_000_000 } } as const;
    expect((await walk(early)).ids).toHaveLength(600);
  });

  it("have their exhausted deliveries counted for each destination among many others", async () => {
    await test.record("old", { mac: 1, destinations: ["quiet"] });
    const [quiet] = await test.claim({ destination: "quiet", limit: 1 });
    await test.settle(quiet!, { state: "exhausted" });
    for (let step = 0; step < 21; step += 1) {
      await Promise.all(
        Array.from({ length: 500 }, (_, n) => test.record(`e${step} ${n}`)),
      );
      const busy = await test.claim({ limit: 500 });
      await Promise.all(
        busy.map((d) => test.settle(d, { state: "exhausted" })),
      );
    }
    expect(await test.store().countDeliveries()).toEqual(
      expect.arrayContaining([
        { destination: "d", pending: 0, exhausted: 10_000 },
        { destination: "quiet", pending: 0, exhausted: 1 },
      ]),
    );
  });

  it("give their digests by key, and are listed in order, for a comparison with the trail", async () => {
    for (const n of [1, 2, 3]) {
      await test.record(`e${n}`, { mac: n, receivedAt: n * 86_400_000 });
    }
    const reader = await test.reader();
    const keys = ["e3", "none", "e1"].map((id) => ({ source: "hex", id }));
    const digests = await reader.digestEvents(keys);
    const bodySha256 = createHash("sha256").update("{}").digest("hex");
    expect(digests).toMatchObject([
      { receivedAt: 3 * 86_400_000, bodySha256 },
      null,
      { receivedAt: 86_400_000, bodySha256 },
    ]);
    const listed = await reader.listEvents(0, 2);
    expect(listed.map(({ id }) => id)).toEqual(["e1", "e2"]);
    const rest = await reader.listEvents(listed[1]!.seq, 2);
    expect(rest).toMatchObject([{ id: "e3", source: "hex" }]);
    expect(rest[0]!.seq).toBe(digests[0]!.seq);
  });
});
