import { beforeEach, describe, expect, it } from "@jest/globals";
import {
  createDispatcher,
  type Dispatcher,
} from "../../../src/delivery/dispatcher.ts";
import type { AttemptResult } from "../../../src/domain/delivery.ts";
import { cleanUp } from "../../support/cleanup.ts";
import { eventually } from "../../support/eventually.ts";
import {
  openStoreOfKind,
  SQLITE,
  type TestStore,
} from "../../support/stores.ts";

const FAILED: AttemptResult = { ok: false, reason: "status", status: 500 };

describe("a delivery older than its destination's maxAge", () => {
  let test: TestStore;
  let dispatcher: Dispatcher;
  let attempted: string[];
  let end: (result: AttemptResult) => void;

  beforeEach(async () => {
    test = await openStoreOfKind(SQLITE);
    attempted = [];
  });

  /** Serves `d` with a maxAge of 10 s. `result` ends each attempt at once; without it the test ends the attempts. */
  async function start(
    result?: AttemptResult,
    monotonic: () => number = test.now,
  ): Promise<void> {
    dispatcher = createDispatcher(
      {
        store: test.store(),
        destinations: [
          {
            name: "d",
            sources: ["hex"],
            events: ["*"],
            orderBy: null,
            kind: "http",
            place: "test",
            concurrency: 8,
            maxAgeMs: 10_000,
            attempt: ({ event }) =>
              new Promise((resolve) => {
                attempted.push(event.id);
                end = resolve;
                if (result !== undefined) {
                  resolve(result);
                }
              }),
          },
        ],
        now: test.now,
        monotonic,
        random: () => 0.5,
        emit: () => undefined,
      },
      { retryScheduleMs: [3_600_000], attemptTimeoutMs: 60_000 },
    );
    cleanUp(() => dispatcher.stop(0));
    test.store().onCommit(({ due }) => {
      dispatcher.wake(due);
    });
    await dispatcher.load();
    dispatcher.start();
  }

  const stateOf = async (id: string) =>
    (await test.store().findEvents(id))[0]!.deliveries[0]!.state;
  const reasons = async () =>
    (await test.entries())
      .filter(({ action }) => action === "delivery.exhausted")
      .map(({ metadata }) => metadata["reason"]);

  it("is exhausted at startup without an attempt", async () => {
    await test.record("old", { receivedAt: 5000 });
    await test.record("young", { mac: 2, receivedAt: 5001 });
    test.setClock(15_001);
    await start({ ok: true });
    await eventually(async () => (await stateOf("young")) === "succeeded");
    expect(await stateOf("old")).toBe("exhausted");
    expect(attempted).toEqual(["young"]);
    expect(await reasons()).toEqual(["too_old"]);
  });

  it("is exhausted while an operator has the destination paused", async () => {
    await start();
    await dispatcher.pause("d", "alice");
    await test.record("a");
    test.setClock(15_001);
    await eventually(async () => (await stateOf("a")) === "exhausted");
    expect(attempted).toEqual([]);
  });

  it("is exhausted while the breaker is open", async () => {
    await start(FAILED);
    for (let n = 1; n <= 6; n += 1) {
      await test.record(`e${n}`, { mac: n });
    }
    await eventually(
      async () =>
        (await dispatcher.status())[0]!.worker!.breaker.state === "open",
    );
    await test.record("waits", { mac: 9 });
    test.setClock(15_001);
    await eventually(async () => (await stateOf("waits")) === "exhausted");
    expect(attempted).not.toContain("waits");
  });

  it("is not exhausted while its attempt is in flight", async () => {
    await start();
    await test.record("slow");
    await eventually(() => attempted.length === 1);
    test.setClock(100_000);
    await test.record("young", { mac: 2, receivedAt: 100_000 });
    await eventually(() => attempted.includes("young"));
    expect(await stateOf("slow")).toBe("pending");
    await dispatcher.stop(0);
    expect(await stateOf("slow")).toBe("pending");
  });

  it("is exhausted after an attempt that ended too late", async () => {
    await start();
    await test.record("slow");
    await eventually(() => attempted.length === 1);
    test.setClock(15_001);
    end(FAILED);
    await eventually(async () => (await stateOf("slow")) === "exhausted");
    expect(attempted).toEqual(["slow"]);
    expect(await reasons()).toEqual(["too_old"]);
  });

  describe("only because the clock was set", () => {
    let elapsed: number;

    beforeEach(async () => {
      elapsed = 0;
      await start({ ok: true }, () => elapsed);
    });

    it("ahead is attempted, and exhausted when it is really too old", async () => {
      await dispatcher.pause("d", "alice");
      await test.record("a", { receivedAt: test.now() });
      test.setClock(test.now() + 7_200_000);
      await dispatcher.resume("d", "alice");
      await eventually(async () => (await stateOf("a")) === "succeeded");
      await dispatcher.pause("d", "alice");
      await test.record("b", { mac: 2, receivedAt: test.now() - 7_200_000 });
      elapsed += 10_000;
      await eventually(async () => (await stateOf("b")) === "exhausted");
      expect(attempted).toEqual(["a"]);
    });

    it("ahead and back is attempted", async () => {
      const before = test.now();
      test.setClock(before + 900_000);
      await test.record("future", { receivedAt: test.now() });
      await eventually(async () => (await stateOf("future")) === "succeeded");
      test.setClock(before);
      elapsed += 20_000;
      await test.record("new", { mac: 2, receivedAt: before });
      await eventually(async () => (await stateOf("new")) === "succeeded");
      expect(attempted).toEqual(["future", "new"]);
    });
  });
});
