import type {
  ClaimRequest,
  EventFilter,
  EventScan,
} from "../../src/store/records.ts";
import type { DeliveryState } from "../../src/domain/delivery.ts";
import { beforeEach, describe, expect, it } from "@jest/globals";
import { statSync, symlinkSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import path from "node:path";
import type { Store } from "../../src/store/port.ts";
import { openStore } from "../../src/store/open.ts";
import { eventually } from "../support/eventually.ts";
import { observeCommits } from "../support/observe-commits.ts";
import { openTestStore } from "../support/open-test-store.ts";
import {
  draftOf,
  idsOf,
  openStoreOnThreads,
  recordOf,
} from "../support/stores.ts";
import { readTrail } from "../support/read-trail.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { openFile } from "../support/store-file.ts";

/** The tests that every kind of store must pass. Each kind opens a store. */
interface Kind {
  readonly name: string;
  /** The name of the function in `src/store/open.ts`. */
  readonly openName: "openStore" | "openStoreOnThreads";
  readonly open: (
    folder: string,
    writer: string,
    now: () => number,
  ) => Promise<Store>;
}

const kind = (
  name: string,
  openName: Kind["openName"],
  openKind: typeof openStore,
): Kind => ({
  name,
  openName,
  open: (folder, writer, now) =>
    openTestStore(folder, { open: openKind, writer, now, delivers: true }),
});

const KINDS: readonly Kind[] = [
  kind("SQLite", "openStore", openStore),
  kind("threaded SQLite", "openStoreOnThreads", openStoreOnThreads),
];

function sha256(data: string | Buffer): string {
  return createHash("sha256").update(data).digest("hex");
}

describe.each(KINDS)("a $name store", ({ open }) => {
  let folder: ReturnType<typeof temporaryFolder>;
  let store: Store;
  let clock: number;

  beforeEach(async () => {
    clock = 5000;
    folder = temporaryFolder();
    store = await open(folder.path, "one", () => clock);
  });

  const claim = (
    limit = 10,
    leaseUntil = clock + 1000,
    further: Partial<ClaimRequest> = {},
  ) =>
    store.claim({
      destination: "d",
      now: clock,
      dueUntil: clock,
      limit,
      concurrency: 1000,
      rateLimit: null,
      leaseUntil,
      holding: new Set<number>(),
      crashed: "any",
      probed: null,
      kind: "handler",
      ...further,
    });

  const isRepeatCrashDue = () =>
    store.isRepeatCrashDue({ destination: "d", now: clock, dueUntil: clock });

  const settle = (
    { id, attempt }: { id: number; attempt: number },
    next: DeliveryState = { state: "succeeded" },
  ) =>
    store.settle({
      deliveryId: id,
      attempt,
      endedAt: clock,
      result:
        next.state === "succeeded"
          ? { ok: true, status: 204 }
          : { ok: false, reason: "status", status: 500 },
      next,
      entry: draftOf("delivery.succeeded"),
    });

  const everyEvent = {
    state: null,
    destination: null,
    source: null,
    type: null,
    since: null,
  };

  const scan = (further: Partial<EventScan> = {}) =>
    store.scanEvents({
      filter: everyEvent,
      order: "newest",
      from: null,
      limit: 100,
      ...further,
    });

  const redeliver = (...deliveryIds: number[]) =>
    store.redeliver({
      deliveryIds,
      now: clock,
      operator: "alice",
    });

  const actions = async () =>
    (await store.readAudit(0, 1000)).map(
      ({ line }) => (JSON.parse(line) as { action: string }).action,
    );

  it("decides outcomes by its unique keys in the order of the calls, in one turn and in many", async () => {
    const outcomes = await Promise.all([
      store.record(recordOf("a", { mac: 1 })),
      store.record(recordOf("a", { mac: 1 })),
      store.record(recordOf("a", { mac: 2 })),
      store.record(recordOf("a", { mac: 3, body: "{ }" })),
      store.record(recordOf("b", { mac: 4 })),
    ]);
    expect(outcomes).toEqual([
      "accepted",
      "replayed",
      "duplicate",
      "conflict",
      "accepted",
    ]);
    expect(await store.record(recordOf("a", { mac: 1 }))).toBe("replayed");
    expect(await store.record(recordOf("a", { mac: 2 }))).toBe("replayed");
    expect(await store.record(recordOf("a", { mac: 3, body: "{ }" }))).toBe(
      "replayed_conflict",
    );
    expect(await store.record(recordOf("a", { mac: 9, source: "other" }))).toBe(
      "accepted",
    );
    expect(await store.record(recordOf("a", { mac: 5 }))).toBe("duplicate");
  });

  it("stores an event byte for byte, and a claim returns it with its delivery", async () => {
    const body = Buffer.from('{"x":"\u0000\xff"}', "latin1");
    const given = recordOf("a");
    await store.record({ ...given, event: { ...given.event, body } });

    const [delivery, ...more] = await claim();

    expect(more).toEqual([]);
    expect(delivery).toMatchObject({
      destination: "d",
      attempt: 1,
      event: { id: "a", source: "hex", type: "t", receivedAt: 5000 },
    });
    expect(delivery!.event.body.equals(body)).toBe(true);
    expect(await claim()).toEqual([]);
    expect(await store.nextDueAt("d")).toBe(6000);
  });

  it("returns a delivery again after its lease has ended, and drops the late result", async () => {
    await store.record(recordOf("a"));
    const [first] = await claim();
    clock += 1000;
    const [second] = await claim();
    expect([first!.attempt, second!.attempt]).toEqual([1, 2]);

    expect(await settle(first!)).toBe(false);
    expect(await settle(second!)).toBe(true);
    expect(await settle(second!)).toBe(false);
    expect(await store.nextDueAt("d")).toBeNull();
    expect(await actions()).toEqual([
      "webhook.accepted",
      "delivery.failed",
      "delivery.succeeded",
    ]);
  });

  it("makes a failed delivery due at its retry time, and a released one at once", async () => {
    await store.record(recordOf("a"));
    const [first] = await claim();
    await settle(first!, { state: "pending", dueAt: 9000 });
    expect(await claim()).toEqual([]);
    clock = 9000;
    const [again] = await claim();
    expect(again).toMatchObject({ attempt: 2, scheduledAttempt: 2 });
    await store.release(first!.id, 2, clock);
    await store.release(first!.id, 1, clock);
    // A shutdown interrupted it: the next attempt is new, but does not count for the schedule.
    expect((await claim())[0]).toMatchObject({
      attempt: 3,
      scheduledAttempt: 2,
      crashes: 0,
    });
  });

  it("returns at most the limit, and the longest due first", async () => {
    for (let n = 1; n <= 5; n += 1) {
      await store.record(recordOf(`e${n}`, { mac: n }));
    }
    const taken = await claim(2);
    expect(taken.map(({ event }) => event.id)).toEqual(["e1", "e2"]);
    expect(await claim()).toHaveLength(3);
    expect(await claim(5, clock, { destination: "other" })).toEqual([]);
  });

  it("ends the leases of dead processes at startup, and no others", async () => {
    await store.record(recordOf("a"));
    await claim(1, clock + 60_000);
    const second = await open(folder.path, "two", () => clock);
    expect(await second.nextDueAt("d")).toBe(clock + 60_000);
    await second.close();
    await store.close();

    store = await open(folder.path, "three", () => clock);
    expect((await claim())[0]).toMatchObject({ attempt: 2 });
  });

  it("does not end leases when a command opens it, even of a dead process", async () => {
    await store.record(recordOf("a"));
    await claim(1, clock + 60_000);
    await store.close();
    const command = await openTestStore(folder.path, { now: () => clock });
    expect(await command.nextDueAt("d")).toBe(clock + 60_000);
  });

  it("counts crashes apart from the schedule, and exhausts the delivery at their limit", async () => {
    await store.record(recordOf("a"));
    for (const [attempt, crashes] of [
      [1, 0],
      [2, 1],
      [3, 2],
      [4, 3],
      [5, 4],
    ]) {
      expect((await claim())[0]).toMatchObject({
        attempt,
        scheduledAttempt: 1,
        crashes,
      });
      clock += 1000;
    }
    expect(await claim()).toEqual([]);
    const [event] = await store.findEvents("a");
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
    expect((await actions()).slice(1)).toEqual([
      ...Array.from({ length: 4 }, () => "delivery.failed"),
      "delivery.exhausted",
    ]);
  });

  it("never claims a delivery that the caller is still attempting, after its lease too", async () => {
    for (let n = 1; n <= 3; n += 1) {
      await store.record(recordOf(`e${n}`, { mac: n }));
    }
    const [first] = await claim(1);
    clock += 60_000;
    const holding = new Set([first!.id]);
    for (const crashed of ["any", "repeatedly", "once", "none"] as const) {
      expect(
        idsOf(await claim(1, clock + 1000, { holding, crashed })),
      ).not.toContain("e1");
    }
    expect(await settle(first!)).toBe(true);
  });

  it("returns crashed deliveries one at a time or not at all, with other deliveries meanwhile", async () => {
    for (let n = 1; n <= 4; n += 1) {
      await store.record(recordOf(`e${n}`, { mac: n }));
    }
    await claim(3);
    clock += 1000;
    // Three are found lost. The fourth was never claimed.
    const none = { crashed: "none" } as const;
    const one = { crashed: "once" } as const;
    expect(idsOf(await claim(10, clock + 1000, none))).toEqual(["e4"]);
    expect(await claim(10, clock + 1000, none)).toEqual([]);
    const [first, ...others] = await claim(10, clock + 1000, one);
    expect(first).toMatchObject({ crashes: 1 });
    expect(others).toEqual([]);
    await store.record(recordOf("e5", { mac: 5 }));
    expect(idsOf(await claim(1, clock + 1000, one))).not.toContain("e5");
    expect(idsOf(await claim(1, clock + 1000, none))).toEqual(["e5"]);
  });

  it("returns a crashed delivery at once when all due deliveries were lost", async () => {
    await store.record(recordOf("a"));
    await claim();
    clock += 1000;
    expect(await claim(1, clock + 1000, { crashed: "once" })).toMatchObject([
      { attempt: 2, crashes: 1 },
    ]);
  });

  it("returns a delivery that crashed twice only to a claim for such deliveries, and alone", async () => {
    for (let n = 1; n <= 3; n += 1) {
      await store.record(recordOf(`e${n}`, { mac: n }));
    }
    const once = { crashed: "once" } as const;
    await claim(1);
    clock += 1000;
    for (const other of await claim(9, clock + 1000, once)) {
      await settle(other);
    }
    expect(await claim(9, clock + 1000, once)).toMatchObject([
      { crashes: 1, event: { id: "e1" } },
    ]);
    clock += 1000;
    await store.record(recordOf("e4", { mac: 4 }));
    expect(await isRepeatCrashDue()).toBe(false);
    expect(idsOf(await claim(1, clock + 1000, once))).toEqual(["e4"]);
    expect(await isRepeatCrashDue()).toBe(true);
    await store.record(recordOf("e5", { mac: 5 }));
    const repeatedly = { crashed: "repeatedly" } as const;
    expect(await claim(9, clock + 1000, repeatedly)).toMatchObject([
      { crashes: 2, event: { id: "e1" } },
    ]);
    expect(await isRepeatCrashDue()).toBe(false);
    expect(idsOf(await claim(9, clock + 1000, repeatedly))).toEqual(["e5"]);
  });

  it("returns deliveries of an order key one after another, and others meanwhile", async () => {
    for (const [n, key] of ["k", "k", "other", "k"].entries()) {
      await store.record(recordOf(`e${n}`, { mac: n + 1, orderKey: key }));
    }
    await store.record(recordOf("free", { mac: 9 }));

    const first = await claim();
    expect(idsOf(first)).toEqual(["e0", "e2", "free"]);
    expect(await claim()).toEqual([]);
    await settle(first[1]!);
    await settle(first[2]!);
    await settle(first[0]!, { state: "pending", dueAt: 9000 });
    expect(await claim()).toEqual([]);
    clock = 9000;
    const again = await claim(10, clock + 1000);
    expect(idsOf(again)).toEqual(["e0"]);
    await settle(again[0]!, { state: "exhausted" });
    const second = await claim();
    expect(idsOf(second)).toEqual(["e1"]);
    // e0 is redelivered while e1 is in flight, so e0 is the next delivery of its key.
    expect(await redeliver(again[0]!.id)).toEqual(["redelivered"]);
    expect(await claim()).toEqual([]);
    await settle(second[0]!);
    const third = await claim();
    expect(idsOf(third)).toEqual(["e0"]);
    await store.release(third[0]!.id, third[0]!.attempt, clock);
    const fourth = await claim();
    expect(idsOf(fourth)).toEqual(["e0"]);
    await settle(fourth[0]!);
    expect(idsOf(await claim())).toEqual(["e3"]);
  });

  it("makes deliveries due again on a new schedule, each with an entry, unless an attempt is in flight", async () => {
    await store.record(recordOf("a", { destinations: ["d", "e"] }));
    const [first] = await claim();
    expect(await redeliver(first!.id, 999)).toEqual(["in_flight", "unknown"]);
    await settle(first!, { state: "exhausted" });
    clock = 7000;

    expect(await redeliver(first!.id)).toEqual(["redelivered"]);

    expect((await claim())[0]).toMatchObject({
      id: first!.id,
      attempt: 2,
      scheduledAttempt: 1,
      startedAt: 7000,
    });
    expect(
      (await actions()).filter((action) => action === "delivery.redelivered"),
    ).toHaveLength(1);
  });

  it("shows an event with its deliveries and attempts, once for each source that has it", async () => {
    await store.record(recordOf("a", { body: '{"x":1}' }));
    await store.record(recordOf("a", { source: "other", mac: 2 }));
    const [first] = await claim(1);
    clock += 7;
    await settle(first!, { state: "pending", dueAt: 9000 });

    const events = await store.findEvents("a");

    expect(events.map(({ source }) => source).sort()).toEqual(["hex", "other"]);
    expect(events.find(({ source }) => source === "hex")).toMatchObject({
      type: "t",
      receivedAt: 5000,
      bodyBytes: 7,
      bodySha256: sha256('{"x":1}'),
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
    expect(await store.findEvents("b")).toEqual([]);
  });

  it("scans events in both directions, in bounded steps that resume where the last one ended", async () => {
    const total = 1234;
    await Promise.all(
      Array.from({ length: total }, (_, n) =>
        store.record(
          recordOf(`e${n}`, {
            mac: n % 256,
            type: n % 2 === 0 ? "even" : "odd",
            destinations: n % 100 === 0 ? ["rare"] : ["d"],
            receivedAt: 1000 + n,
          }),
        ),
      ),
    );
    const walk = async (further: Partial<EventScan>) => {
      const ids: string[] = [];
      let from: number | null = null;
      let steps = 0;
      do {
        const step: Awaited<ReturnType<Store["scanEvents"]>> = await scan({
          ...further,
          from,
        });
        ids.push(...step.events.map(({ id }) => id));
        from = step.next;
        steps += 1;
      } while (from !== null);
      return { ids, steps };
    };
    const names = Array.from({ length: total }, (_, n) => `e${n}`);
    expect((await walk({ order: "oldest", limit: 77 })).ids).toEqual(names);
    const newest = await walk({ limit: 10_000 });
    expect(newest.ids).toEqual([...names].reverse());
    expect(newest.steps).toBeGreaterThan(2);
    const filtered = async (filter: Partial<EventFilter>) =>
      (await walk({ filter: { ...everyEvent, ...filter } })).ids;
    expect(await filtered({ destination: "rare" })).toHaveLength(13);
    expect(await filtered({ type: "o*d" })).toHaveLength(total / 2);
    expect(await filtered({ since: 1000 + total - 5 })).toHaveLength(5);
    expect(await filtered({ source: "other" })).toEqual([]);
    expect(await filtered({ state: "exhausted" })).toEqual([]);

    for (const delivery of await claim(3)) {
      await settle(delivery, { state: "exhausted" });
    }
    expect(await filtered({ state: "exhausted" })).toEqual(["e3", "e2", "e1"]);
    expect(await filtered({ state: "exhausted", destination: "rare" })).toEqual(
      [],
    );
    expect(
      (
        await walk({
          order: "oldest",
          limit: 1,
          filter: { ...everyEvent, state: "exhausted" },
        })
      ).ids,
    ).toEqual(["e1", "e2", "e3"]);
    expect(await store.countDeliveries()).toEqual(
      expect.arrayContaining([
        { destination: "d", pending: total - 13 - 3, exhausted: 3 },
        { destination: "rare", pending: 13, exhausted: 0 },
      ]),
    );
  });

  it("claims only a few large bodies at once, and the others with the next claims", async () => {
    const body = "x".repeat(1_500_000);
    for (let n = 1; n <= 5; n += 1) {
      await store.record(recordOf(`e${n}`, { mac: n, body }));
    }
    expect(idsOf(await claim())).toEqual(["e1", "e2"]);
    expect(idsOf(await claim())).toEqual(["e3", "e4"]);
    expect(idsOf(await claim())).toEqual(["e5"]);
  });

  it("counts exhausted deliveries for each destination among many others", async () => {
    await store.record(recordOf("old", { mac: 1, destinations: ["quiet"] }));
    const one = { destination: "quiet" };
    const [quiet] = await claim(1, clock + 1, one);
    await settle(quiet!, { state: "exhausted" });
    await Promise.all(
      Array.from({ length: 10_050 }, (_, n) =>
        store.record(recordOf(`e${n}`, { mac: n % 256 })),
      ),
    );
    const busy = await claim(20_000);
    await Promise.all(busy.map((d) => settle(d, { state: "exhausted" })));
    expect(await store.countDeliveries()).toEqual(
      expect.arrayContaining([
        { destination: "d", pending: 0, exhausted: 10_000 },
        { destination: "quiet", pending: 0, exhausted: 1 },
      ]),
    );
  });

  it("purges old events after those that a wrong clock stored with a future time", async () => {
    for (let n = 0; n < 450; n += 1) {
      await store.record(
        recordOf(`e${n}`, {
          mac: n % 256,
          destinations: [],
          receivedAt: n < 300 ? 9_000_000 : 1000,
        }),
      );
    }
    let from: number | null = null;
    let purged = 0;
    do {
      const step: Awaited<ReturnType<Store["purge"]>> = await store.purge({
        now: 1_000_000,
        receivedBefore: 5000,
        from,
      });
      purged += step.purged.events;
      from = step.next;
    } while (from !== null);
    // All except the newest, whose number must not be reused.
    expect(purged).toBe(149);
  });

  it("remembers paused destinations and who paused them across a restart", async () => {
    const entry = draftOf("config.reloaded");
    await store.setPaused("d", { at: 7000, by: "alice" }, entry);
    await store.setPaused("d", { at: 8000, by: "bob" }, entry);
    await store.setPaused("e", { at: 7000, by: "alice" }, entry);
    await store.setPaused("e", null, entry);
    await store.close();
    store = await open(folder.path, "two", () => clock);
    expect(await store.pausedDestinations()).toEqual([
      { name: "d", pausedAt: 7000, pausedBy: "alice", pausedUntil: null },
    ]);
    expect(await actions()).toHaveLength(4);
  });

  it("purges old events with all their rows, no undelivered ones, and never reuses a number", async () => {
    for (let n = 1; n <= 6; n += 1) {
      await store.record(recordOf(`e${n}`, { mac: n, receivedAt: 1000 * n }));
    }
    await store.record(
      recordOf("e1", { mac: 11, signedAt: null, receivedAt: 1500 }),
    );
    clock = 10_000;
    for (const delivery of await claim()) {
      if (delivery.event.id !== "e2") {
        await settle(
          delivery,
          delivery.event.id === "e3" ? { state: "exhausted" } : undefined,
        );
      }
    }
    const purge = (receivedBefore: number, from: number | null = null) =>
      store.purge({
        now: clock,
        receivedBefore,
        from,
      });

    expect(await purge(4001)).toMatchObject({
      purged: { events: 3, deliveries: 3, attempts: 3 },
    });
    expect(await purge(4001)).toMatchObject({ purged: { events: 0 } });
    expect(
      (await actions()).filter((action) => action === "retention.purged"),
    ).toHaveLength(1);
    const { events } = await scan({ order: "oldest" });
    expect(events.map(({ id }) => id)).toEqual(["e2", "e5", "e6"]);
    // The id of a purged event is unknown again, and so are the claims of its requests.
    expect(
      await store.record(recordOf("e1", { mac: 11, signedAt: null })),
    ).toBe("accepted");

    await claim().then((all) => Promise.all(all.map((one) => settle(one))));
    await purge(1_000_000);
    await store.record(recordOf("last", { mac: 99 }));
    const numbers = (await scan({ order: "oldest" })).events;
    expect(numbers.map(({ id, seq }) => [id, seq])).toEqual([
      ["e2", 2],
      ["e1", 7],
      ["last", 8],
    ]);
    expect(numbers.at(-1)!.deliveries[0]!.id).toBe(8);
  });

  it("skips old events that are undelivered, and stops at the first new one", async () => {
    await Promise.all(
      Array.from({ length: 450 }, (_, n) =>
        store.record(recordOf(`e${n}`, { mac: n % 256, receivedAt: n })),
      ),
    );
    const steps: (number | null)[] = [];
    let from: number | null = null;
    do {
      const step: Awaited<ReturnType<Store["purge"]>> = await store.purge({
        now: 1_000_000,
        receivedBefore: 1000,
        from,
      });
      expect(step.purged.events).toBe(0);
      from = step.next;
      steps.push(from);
    } while (from !== null);
    expect(steps.length).toBeGreaterThan(2);
    expect(
      (
        await store.purge({
          now: 1_000_000,
          receivedBefore: 0,
          from: null,
        })
      ).next,
    ).toBeNull();
  });

  it("deletes old claims with a signed time in batches, and never those without", async () => {
    await store.record(recordOf("a", { mac: 1 }));
    await store.record(recordOf("a", { mac: 2, signedAt: 1000 }));
    await store.record(recordOf("a", { mac: 3, signedAt: 1001 }));
    await store.record(recordOf("a", { mac: 4, signedAt: 2000 }));
    await store.record(recordOf("a", { mac: 5, signedAt: null }));

    expect(await store.forgetReplays(2000, 1)).toBe(1);
    expect(await store.forgetReplays(2000, 10)).toBe(1);
    expect(await store.forgetReplays(2000, 10)).toBe(0);

    expect(await store.record(recordOf("a", { mac: 4, signedAt: 2000 }))).toBe(
      "replayed",
    );
    expect(await store.record(recordOf("a", { mac: 5, signedAt: null }))).toBe(
      "replayed",
    );
  });

  it("writes nothing of a failed transaction, and continues the chain", async () => {
    await store.append(draftOf("server.started"));
    const broken = store.append({
      ...draftOf("server.started"),
      // This cannot be written as JSON.
      metadata: { boom: 1n },
    });
    const beside = store.record(recordOf("a"));
    await expect(broken).rejects.toMatchObject({ name: "StoreError" });
    await expect(beside).rejects.toMatchObject({ name: "StoreError" });

    expect(await store.record(recordOf("a"))).toBe("accepted");
    const lines = (await store.readAudit(0, 10)).map(
      ({ line }) => JSON.parse(line) as { action: string; metadata: object },
    );
    expect(lines.map(({ action }) => action)).toEqual([
      "server.started",
      "store.failed",
      "webhook.accepted",
    ]);
    expect(lines[1]!.metadata).toMatchObject({ failures: 1 });
    await readTrail(path.join(folder.path, "hexhook.db"));
  });

  it("rejects a call with an argument that cannot be read, and keeps working", async () => {
    const metadata = {
      get boom(): never {
        throw new Error("boom");
      },
    };
    const broken = store.append({ ...draftOf("server.started"), metadata });
    await expect(broken).rejects.toMatchObject({ name: "StoreError" });
    await store.append(draftOf("server.started"));
    expect((await actions()).at(-1)).toBe("server.started");
  });

  it("signs new entries with a checkpoint, and no entry twice", async () => {
    await store.append(draftOf("server.started"));
    await store.checkpoint();
    await store.checkpoint();
    await store.append(draftOf("server.stopped"));
    await store.checkpoint();
    const rows = await store.readAudit(0, 10);
    expect(
      rows.map(({ line }) => /"action":"([^"]*)"/.exec(line)?.[1]),
    ).toEqual([
      "server.started",
      "audit.checkpoint",
      "server.stopped",
      "audit.checkpoint",
    ]);
  });

  it("returns the last entry of each writer, newest first, and the last position", async () => {
    expect(await store.lastPosition()).toBe(0);
    await store.append(draftOf("server.started"));
    await store.append(draftOf("server.stopped"));
    const second = await open(folder.path, "two", () => clock);
    await second.append(draftOf("server.started"));
    expect(
      (await store.heads()).map(({ writer, seq }) => [writer, seq]),
    ).toEqual([
      ["two", 1],
      ["one", 2],
    ]);
    expect(await store.lastPosition()).toBe(3);
    await second.close();
  });

  it("returns body, id and type of an event byte for byte", async () => {
    const body = Buffer.from(Array.from({ length: 256 }, (_, n) => n));
    const [id, type] = ["e\0\u{1f600}x", "t\0.y"];
    const { event, ...rest } = recordOf(id, { type });
    await store.record({ ...rest, event: { ...event, body } });
    expect(await store.record(recordOf("e\0other", { mac: 2 }))).toBe(
      "accepted",
    );
    expect(await store.record({ ...rest, event: { ...event, body } })).toBe(
      "replayed",
    );
    const [claimed] = await claim();
    expect(claimed!.event).toMatchObject({ id, type });
    expect(Buffer.isBuffer(claimed!.event.body)).toBe(true);
    expect(claimed!.event.body.equals(body)).toBe(true);
    expect((await store.findEvents(id))[0]).toMatchObject({
      id,
      type,
      bodyBytes: 256,
      bodySha256: sha256(body),
    });
    await settle(claimed!);
    await redeliver(claimed!.id);
    expect(
      JSON.parse((await store.readAudit(0, 100)).at(-1)!.line),
    ).toMatchObject({
      userId: "operator:alice",
      metadata: { source: "hex", eventId: id, eventType: type },
    });
  });

  it("is probed with a write, which detects a trail that was changed from outside", async () => {
    await store.probe();
    await store.append(draftOf("server.started"));
    await store.probe();
    const db = openFile(path.join(folder.path, "hexhook.db"));
    db.exec("DELETE FROM audit_writer");
    db.close();
    const changed = { code: "AUDIT_CHANGED" };
    await expect(store.probe()).rejects.toMatchObject(changed);
    // A probe still fails after later entries, because a changed trail proves nothing.
    await store.append(draftOf("server.stopped"));
    await expect(store.probe()).rejects.toMatchObject(changed);
  });
});

describe.each(KINDS)("the file of a $name store", ({ open, openName }) => {
  it("can be opened through a symbolic link", async () => {
    const folder = temporaryFolder();
    symlinkSync(
      path.join(folder.path, "real.db"),
      path.join(folder.path, "hexhook.db"),
    );
    writeFileSync(path.join(folder.path, "real.db"), "");
    const store = await open(folder.path, "w", () => 1);
    await store.append(draftOf("server.started"));
    await store.append(draftOf("server.stopped"));
    expect(await store.lastPosition()).toBe(2);
    await store.close();
  });

  it("fails a probe if its last line is not the one that the store wrote", async () => {
    const folder = temporaryFolder();
    const store = await open(folder.path, "w", () => 1);
    await store.append(draftOf("server.started"));
    await Promise.all([store.append(draftOf("server.stopped")), store.probe()]);
    const db = openFile(path.join(folder.path, "hexhook.db"));
    db.exec("DELETE FROM audit_entry WHERE position = 2");
    db.close();
    await expect(store.probe()).rejects.toMatchObject({
      code: "AUDIT_CHANGED",
    });
    await store.close();
  });

  it("is written with WAL and synchronous=FULL", async () => {
    const committed = await observeCommits(temporaryFolder().path, openName);
    expect(committed).toEqual([{ journalMode: "wal", synchronous: 2 }]);
  });

  it("has its log checkpointed, so that the log does not grow indefinitely", async () => {
    const folder = temporaryFolder();
    const file = path.join(folder.path, "hexhook.db");
    const store = await open(folder.path, "w", () => 1);
    const body = "x".repeat(100_000);
    for (let n = 0; n < 400; n += 1) {
      await store.record(recordOf(`e${n}`, { mac: n % 256, body }));
    }
    expect(statSync(`${file}-wal`).size).toBeLessThan(30_000_000);
    expect(statSync(file).size).toBeGreaterThan(10_000_000);
    await store.close();
  });

  it("has its log truncated, even without further writes, after a reader that blocked its reuse has gone", async () => {
    const folder = temporaryFolder();
    const file = path.join(folder.path, "hexhook.db");
    const store = await open(folder.path, "w", () => 1);
    await store.append(draftOf("server.started"));
    const reader = openFile(file);
    reader.exec("BEGIN");
    reader.prepare("SELECT count(*) FROM event").get();
    const body = "x".repeat(500_000);
    const size = () => statSync(`${file}-wal`).size;
    for (let n = 0; size() < 40_000_000; n += 1) {
      await store.record(recordOf(`e${n}`, { mac: n % 256, body }));
    }
    reader.close();
    await eventually(() => size() < 34_000_000);
    expect(size()).toBeLessThan(34_000_000);
    await store.close();
  });
});
