import { beforeEach, describe, expect, it } from "@jest/globals";
import {
  createDispatcher,
  type Dispatcher,
} from "../../../src/delivery/dispatcher.ts";
import type { AttemptResult } from "../../../src/domain/delivery.ts";
import type { Destination } from "../../../src/domain/destination.ts";
import { StoreError } from "../../../src/errors.ts";
import type { Store } from "../../../src/store/port.ts";
import { cleanUp } from "../../support/cleanup.ts";
import { eventually } from "../../support/eventually.ts";
import {
  openStoreOfKind,
  SQLITE,
  type TestStore,
} from "../../support/stores.ts";

const OK: AttemptResult = { ok: true, status: 200 };

describe("a dispatcher", () => {
  let test: TestStore;
  let dispatcher: Dispatcher;
  /** The attempts that have started: the generation of their destination, and the function that ends them. */
  let begun: {
    at: string;
    signal: AbortSignal;
    end: (result: AttemptResult) => void;
  }[];

  beforeEach(async () => {
    test = await openStoreOfKind(SQLITE);
    begun = [];
  });

  /** Returns the destination `d`. `at` names its generation. */
  const destination = (at: string): Destination => ({
    name: "d",
    sources: ["hex"],
    events: ["*"],
    orderBy: null,
    kind: "http",
    place: "test",
    concurrency: 1,
    attempt: (_delivery, signal) =>
      new Promise((resolve) => {
        begun.push({ at, signal, end: resolve });
      }),
  });

  async function start(
    destinations: readonly Destination[],
    store: Partial<Store> = {},
  ): Promise<void> {
    dispatcher = createDispatcher(
      {
        store: { ...test.store(), ...store },
        destinations,
        now: test.now,
        monotonic: test.now,
        random: () => 0.5,
        emit: () => undefined,
      },
      { retryScheduleMs: [20], attemptTimeoutMs: 60_000 },
    );
    cleanUp(() => dispatcher.stop(0));
    test.store().onCommit(({ due }) => {
      dispatcher.wake(due);
    });
    await dispatcher.load();
    dispatcher.start();
  }

  it("starts a replaced destination when the last attempt of the old one has ended", async () => {
    await start([destination("old")]);
    await test.record("a");
    await test.record("b", { mac: 2 });
    await eventually(() => begun.length === 1);
    dispatcher.replace({ removed: ["d"], added: [destination("new")] });
    dispatcher.wake(["d"]);
    // After these calls the new destination would have started, if it did not wait.
    await dispatcher.status();
    await test.store().nextDueAt("d");
    await new Promise(setImmediate);
    expect(begun.map(({ at }) => at)).toEqual(["old"]);
    begun[0]!.end(OK);
    await eventually(() => begun.length === 2);
    begun[1]!.end(OK);
    expect(begun.map(({ at }) => at)).toEqual(["old", "new"]);
  });

  it("starts a replaced destination after its own timeout when the last attempt of the old one hangs", async () => {
    await start([{ ...destination("old"), attemptTimeoutMs: 3_600_000 }]);
    await test.record("a");
    await eventually(() => begun.length === 1);
    const next = { ...destination("new"), attemptTimeoutMs: 1000 };
    dispatcher.replace({ removed: ["d"], added: [next] });
    const abandoned = begun[0]!;
    await eventually(() => abandoned.signal.aborted);
    abandoned.end(OK);
    await eventually(() => begun.length === 2);
    expect(begun.map(({ at }) => at)).toEqual(["old", "new"]);
    begun[1]!.end(OK);
  });

  it("makes no attempt when a paused destination is added again", async () => {
    await start([destination("old")]);
    await dispatcher.pause("d", "alice");
    dispatcher.replace({ removed: ["d"], added: [] });
    expect(await dispatcher.status()).toMatchObject([]);
    await test.record("a");
    dispatcher.replace({ removed: [], added: [destination("new")] });
    await eventually(
      async () => (await dispatcher.status())[0]!.worker?.paused,
    );
    expect(begun).toEqual([]);
    await dispatcher.resume("d", "alice");
    await eventually(() => begun.length === 1);
    begun[0]!.end(OK);
  });

  it("starts a destination that is added while the store fails", async () => {
    const { pausedDestinations } = test.store();
    let fails = false;
    await start([], {
      pausedDestinations: async () => {
        if (fails) {
          throw new StoreError("no", { code: "SQLITE_FULL", fatal: false });
        }
        return pausedDestinations();
      },
    });
    fails = true;
    await test.record("a");
    dispatcher.replace({ removed: [], added: [destination("new")] });
    await eventually(() => begun.length === 1);
    expect(begun).toMatchObject([{ at: "new" }]);
    begun[0]!.end(OK);
  });

  it("shows no worker for a removed destination", async () => {
    await start([destination("old")]);
    await test.record("a");
    await eventually(() => begun.length === 1);
    dispatcher.replace({ removed: ["d"], added: [] });
    expect(await dispatcher.status()).toMatchObject([
      { name: "d", worker: null, destination: null, pending: 1 },
    ]);
    expect(await dispatcher.pause("d", "alice")).toBe(false);
  });

  it("releases the attempts in flight of a removed destination when it stops", async () => {
    await start([destination("old")]);
    await test.record("a");
    await eventually(() => begun.length === 1);
    dispatcher.replace({ removed: ["d"], added: [] });
    await dispatcher.stop(0);
    const [event] = await test.store().findEvents("a");
    expect(event!.deliveries).toMatchObject([
      { state: "pending", inFlight: false, attempts: [{ reason: "released" }] },
    ]);
  });

  it("writes a single entry when a destination is paused repeatedly", async () => {
    await start([destination("old")]);
    for (const operator of ["alice", "bob"]) {
      expect(await dispatcher.pause("d", operator)).toBe(true);
    }
    for (const operator of ["carol", "dave"]) {
      expect(await dispatcher.resume("d", operator)).toBe(true);
    }
    expect(
      (await test.entries()).map(({ action, userId }) => [action, userId]),
    ).toEqual([
      ["destination.paused", "operator:alice"],
      ["destination.resumed", "operator:carol"],
    ]);
  });
});
