import { describe, expect, it } from "@jest/globals";
import { lookup } from "node:dns";
import {
  createDispatcher,
  type Dispatcher,
} from "../../../src/delivery/dispatcher.ts";
import { createHttpDestination } from "../../../src/delivery/http/http-destination.ts";
import { cleanUp } from "../../support/cleanup.ts";
import { startDestination } from "../../support/destinations.ts";
import { eventually } from "../../support/eventually.ts";
import {
  type ManualClocks,
  manualClocks,
} from "../../support/manual-clocks.ts";
import {
  openStoreOfKind,
  SQLITE,
  type TestStore,
} from "../../support/stores.ts";

const SECOND_MS = 1000;
const MINUTE_MS = 60_000;
/** The default of RETRY_SCHEDULE. */
const SCHEDULE_MS = [5, 30, 120, 600, 1800, 3600, 10_800, 21_600, 43_200].map(
  (seconds) => seconds * SECOND_MS,
);

/** Starts a real HTTP destination that fails every event of the type `bad`, and a dispatcher with manual clocks. */
async function startTest(options: { orderBy?: string } = {}) {
  const test: TestStore = await openStoreOfKind(SQLITE);
  const clocks: ManualClocks = manualClocks(test.now());
  const isBad = (type: unknown): boolean => type === "bad";
  const target = await startDestination((res, _count, { headers }) => {
    res.writeHead(isBad(headers["x-hexhook-type"]) ? 500 : 200).end();
  });
  const changes: string[] = [];
  const dispatcher: Dispatcher = createDispatcher(
    {
      store: test.store(),
      destinations: [
        createHttpDestination(
          {
            now: clocks.now,
            randomHex: (bytes) => "0".repeat(2 * bytes),
            lookup,
            userAgent: "test",
          },
          {
            name: "d",
            sources: ["hex"],
            events: ["*"],
            orderBy: options.orderBy ?? null,
            url: target.url,
            secret: null,
            concurrency: 8,
            allowPrivate: true,
          },
        ),
      ],
      now: clocks.now,
      monotonic: clocks.monotonic,
      random: () => 0.5,
      emit: ({ type }) => {
        if (type.startsWith("breaker.")) {
          changes.push(type);
        }
      },
    },
    { retryScheduleMs: SCHEDULE_MS, attemptTimeoutMs: 10_000 },
  );
  cleanUp(() => dispatcher.stop(0));
  await dispatcher.load();
  dispatcher.start();

  const worker = async () => (await dispatcher.status())[0]!.worker!;

  /** Waits until the worker has nothing left to do at this time. */
  async function settle(): Promise<void> {
    dispatcher.wake(["d"]);
    for (let quiet = 0; quiet < 3; quiet += 1) {
      // The store handles calls in order, so the worker's call ends before this one.
      await test.store().checkpoint();
      await eventually(async () => {
        const { inFlight } = await worker();
        quiet = inFlight === 0 ? quiet : 0;
        return inFlight === 0;
      });
    }
  }

  let received = 0;
  return {
    clocks,
    changes,
    settle,
    state: async () => (await worker()).breaker.state,
    async receive(...types: string[]): Promise<void> {
      for (const type of types) {
        received += 1;
        await test.record(`${type}_${received}`, {
          mac: received,
          type,
          receivedAt: clocks.now(),
          body: `{"n":${received}}`,
          ...(options.orderBy === undefined
            ? {}
            : { orderKey: `key_${received % 3}` }),
        });
      }
    },
    /** Returns the event ids of the attempts since the last call. */
    attempts(): (string | undefined)[] {
      return target.attempts
        .splice(0)
        .map(({ headers }) => headers["webhook-id"] as string | undefined);
    },
    /** Advances the clocks second by second until every good event was delivered. Returns how long that took. */
    async msUntilGoodAreDelivered(count: number): Promise<number> {
      const delivered = new Set<unknown>();
      const begin = clocks.monotonic();
      await settle();
      for (;;) {
        for (const { headers } of target.attempts.splice(0)) {
          if (!isBad(headers["x-hexhook-type"])) {
            delivered.add(headers["webhook-id"]);
          }
        }
        const took = clocks.monotonic() - begin;
        if (delivered.size === count || took >= 10 * MINUTE_MS) {
          expect(delivered.size).toBe(count);
          return took;
        }
        clocks.pass(SECOND_MS);
        await settle();
      }
    },
  };
}

const times = (count: number, ...types: string[]): string[] =>
  Array.from({ length: count }, () => types).flat();

describe("a worker whose destination always fails some events", () => {
  it.each([
    ["before them", times(40, "bad"), times(10, "good")],
    ["between them", [], times(10, "bad", "good", "bad", "bad", "bad")],
    [
      "after them",
      times(5, "bad"),
      [...times(10, "good"), ...times(35, "bad")],
    ],
  ])(
    "delivers the others within two minutes: failures %s",
    async (_where, first, then) => {
      const test = await startTest();
      await test.receive(...first);
      await test.settle();
      await test.receive(...then);
      expect(await test.msUntilGoodAreDelivered(10)).toBeLessThanOrEqual(
        2 * MINUTE_MS,
      );
    },
  );

  it("delivers new events after the next probe, even if the breaker has long been open", async () => {
    const test = await startTest();
    await test.receive(...times(40, "bad"));
    for (let minute = 0; minute < 10; minute += 1) {
      await test.settle();
      test.clocks.pass(MINUTE_MS);
    }
    await test.settle();
    expect(await test.state()).toBe("open");
    test.attempts();
    await test.receive(...times(10, "good"));
    expect(await test.msUntilGoodAreDelivered(10)).toBeLessThanOrEqual(
      2 * MINUTE_MS,
    );
  });

  it("does not open the breaker for the failures of a single event", async () => {
    const test = await startTest();
    await test.receive("bad");
    for (const wait of SCHEDULE_MS) {
      await test.settle();
      test.clocks.pass(wait);
    }
    await test.settle();
    expect(test.attempts()).toHaveLength(SCHEDULE_MS.length + 1);
    await test.receive("bad", "good");
    await test.settle();
    expect(test.attempts().sort()).toEqual(["bad_2", "good_3"]);
    expect(test.changes).toEqual([]);
  });
});

describe("the probes of an open breaker", () => {
  it("take a different event each time, newest first, and start again after the oldest", async () => {
    const test = await startTest();
    await test.receive(...times(5, "bad"));
    await test.settle();
    expect(test.attempts()).toHaveLength(5);
    expect(await test.state()).toBe("open");
    await test.receive(...times(3, "bad"));
    const probes: unknown[] = [];
    while (probes.length < 9) {
      test.clocks.pass(MINUTE_MS);
      await test.settle();
      probes.push(...test.attempts());
    }
    expect(probes).toEqual([8, 7, 6, 5, 4, 3, 2, 1, 8].map((n) => `bad_${n}`));
    expect(test.changes).toEqual(["breaker.opened"]);
  });

  it("take the first event of a key when order is kept", async () => {
    const test = await startTest({ orderBy: "/n" });
    // There are three keys. The first event of each key fails twice, and the others wait for it.
    await test.receive(...times(9, "bad"));
    await test.settle();
    test.clocks.pass(5 * SECOND_MS);
    await test.settle();
    expect(await test.state()).toBe("open");
    test.attempts();
    const probes: unknown[] = [];
    while (probes.length < 4) {
      test.clocks.pass(MINUTE_MS);
      await test.settle();
      probes.push(...test.attempts());
    }
    expect(probes).toEqual(["bad_3", "bad_2", "bad_1", "bad_3"]);
  });
});
