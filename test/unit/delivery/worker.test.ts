import { beforeEach, describe, expect, it } from "@jest/globals";
import {
  type CircuitBreaker,
  createCircuitBreaker,
} from "../../../src/delivery/circuit-breaker.ts";
import { createQuarantine } from "../../../src/delivery/quarantine.ts";
import {
  createWorker,
  type Worker,
  type WorkerDeps,
} from "../../../src/delivery/worker.ts";
import type {
  AttemptResult,
  ClaimedDelivery,
} from "../../../src/domain/delivery.ts";
import type { Destination } from "../../../src/domain/destination.ts";
import { StoreError } from "../../../src/errors.ts";
import { cleanUp } from "../../support/cleanup.ts";
import { eventually } from "../../support/eventually.ts";
import {
  openStoreOfKind,
  SQLITE,
  type TestStore,
} from "../../support/stores.ts";

const OK: AttemptResult = { ok: true, status: 200 };
const failed = (status: number): AttemptResult => ({
  ok: false,
  reason: "status",
  status,
});
const FULL = new StoreError("no room", { code: "SQLITE_FULL", fatal: false });

/** An attempt that has started, and the function that ends it. */
interface Begun {
  readonly id: string;
  readonly attempt: number;
  readonly signal: AbortSignal;
  readonly end: (result: AttemptResult) => void;
}

describe("a worker", () => {
  let test: TestStore;
  let begun: Begun[];
  let ended: { result: string; durationMs: number }[];
  let errors: unknown[];
  let worker: Worker;
  let breaker: CircuitBreaker;

  beforeEach(async () => {
    test = await openStoreOfKind(SQLITE);
    begun = [];
    ended = [];
    errors = [];
  });

  /** Starts the worker. `respond` ends each attempt at once; without it the test ends the attempts. */
  function start(
    options: {
      respond?: (delivery: ClaimedDelivery) => AttemptResult;
      kind?: Destination["kind"];
      concurrency?: number;
      attemptTimeoutMs?: number;
      scheduleMs?: readonly number[];
      store?: Partial<WorkerDeps["store"]>;
    } = {},
  ): void {
    const { respond, kind = "http", scheduleMs = [20, 20, 20, 20] } = options;
    const destination: Destination = {
      name: "d",
      sources: ["hex"],
      events: ["*"],
      orderBy: null,
      kind,
      place: "test",
      concurrency: options.concurrency ?? 8,
      attempt: (delivery, signal) =>
        new Promise((resolve) => {
          const { attempt, event } = delivery;
          begun.push({ id: event.id, attempt, signal, end: resolve });
          if (respond !== undefined) {
            resolve(respond(delivery));
          }
        }),
    };
    breaker = createCircuitBreaker({
      threshold: 3,
      minEvents: 2,
      waitsMs: [1000],
      onChange: () => undefined,
    });
    const own = test.store();
    worker = createWorker(
      {
        store: { ...own, ...options.store },
        destination,
        breaker,
        quarantine: kind === "handler" ? createQuarantine() : null,
        rate: null,
        now: test.now,
        monotonic: test.now,
        dueNow: test.now,
        random: () => 0.5,
        onEnded: (result, durationMs) => ended.push({ result, durationMs }),
        onFailed: () => undefined,
        onExhausted: () => undefined,
        onError: (error) => errors.push(error),
      },
      { scheduleMs, attemptTimeoutMs: options.attemptTimeoutMs ?? 60_000 },
    );
    cleanUp(() => worker.stop(0));
    own.onCommit(({ due }) => {
      if (due.has("d")) {
        worker.wake();
      }
    });
    worker.start();
  }

  const attemptsOf = async (id: string) => {
    const [event] = await test.store().findEvents(id);
    return event!.deliveries[0]!;
  };
  const settled = (id: string, state: string) =>
    eventually(async () => (await attemptsOf(id)).state === state);
  const has = (id: string, attempt = 1): boolean =>
    begun.some((one) => one.id === id && one.attempt === attempt);

  it("keeps the lease of an attempt in flight, however far the clock jumps", async () => {
    start();
    await test.record("slow");
    await eventually(() => has("slow"));
    test.setClock(test.now() + 86_400_000);
    await test.record("other", { mac: 2, receivedAt: test.now() });
    await eventually(() => has("other"));
    expect(begun.map(({ id }) => id)).toEqual(["slow", "other"]);
    for (const { end } of begun) {
      end(OK);
    }
    await settled("slow", "succeeded");
    expect(await attemptsOf("slow")).toMatchObject({
      attempt: 1,
      attempts: [{ attempt: 1, ok: true }],
    });
  });

  it("takes a lease that ends after the attempt's timeout, so that the outcome can be written", async () => {
    start({ attemptTimeoutMs: 30_000 });
    await test.record("a");
    await eventually(() => has("a"));
    const [[leaseMs] = []] = await test.database.query(
      "SELECT due_at - claimed_at FROM delivery WHERE leased = 1",
    );
    expect(leaseMs).toBeGreaterThanOrEqual(30_000 + 1000);
  });

  it("claims nothing while an outcome cannot be written, and resumes afterwards", async () => {
    let isFull = true;
    let tries = 0;
    const { settle } = test.store();
    start({
      respond: () => OK,
      store: {
        settle: async (settlement) => {
          tries += 1;
          if (isFull) {
            throw FULL;
          }
          return settle(settlement);
        },
      },
    });
    await test.record("a");
    await eventually(() => tries >= 1);
    await test.record("b", { mac: 2 });
    await eventually(() => tries >= 3);
    expect(begun.map(({ id }) => id)).toEqual(["a"]);
    // The error is reported once, however often the write is retried.
    expect(errors).toEqual([FULL]);
    isFull = false;
    await settled("a", "succeeded");
    await settled("b", "succeeded");
    expect(await attemptsOf("a")).toMatchObject({ attempt: 1 });
  });

  it("continues after a claim fails", async () => {
    const { claim } = test.store();
    let left = 2;
    start({
      respond: () => OK,
      store: {
        claim: async (request) => {
          left -= 1;
          if (left >= 0) {
            throw FULL;
          }
          return claim(request);
        },
      },
    });
    await test.record("a");
    await settled("a", "succeeded");
    expect(errors).toEqual([FULL, FULL]);
  });

  it("continues after a claim for a handler fails, with the quarantine reset", async () => {
    const { claim } = test.store();
    let left = 2;
    start({
      kind: "handler",
      respond: () => OK,
      store: {
        claim: async (request) => {
          left -= 1;
          if (left >= 0) {
            throw FULL;
          }
          return claim(request);
        },
      },
    });
    await test.record("a");
    await test.record("b", { mac: 2 });
    await settled("a", "succeeded");
    await settled("b", "succeeded");
    expect(errors).toEqual([FULL, FULL]);
  });

  it("releases attempts that do not end before the stop, and the schedule does not count them", async () => {
    start();
    await test.record("a");
    await eventually(() => has("a"));
    await worker.stop(0);
    expect(begun[0]!.signal.aborted).toBe(true);
    expect(await attemptsOf("a")).toMatchObject({
      state: "pending",
      attempts: [{ attempt: 1, ok: false, reason: "released" }],
    });
    expect(await test.claim({ kind: "http" })).toMatchObject([
      { attempt: 2, scheduledAttempt: 1, crashes: 0 },
    ]);
    expect(ended).toEqual([]);
  });

  it("reports the result and the duration of each attempt", async () => {
    start({ scheduleMs: [0] });
    await test.record("fails");
    for (const [attempt, result] of [failed(500), failed(500)].entries()) {
      await eventually(() => has("fails", attempt + 1));
      test.setClock(test.now() + 250);
      begun[attempt]!.end(result);
    }
    await settled("fails", "exhausted");
    await test.record("works", { mac: 2, receivedAt: test.now() });
    await eventually(() => has("works"));
    begun[2]!.end(OK);
    await settled("works", "succeeded");
    expect(ended).toEqual([
      { result: "failed", durationMs: 250 },
      { result: "exhausted", durationMs: 250 },
      { result: "succeeded", durationMs: 0 },
    ]);
  });

  it("never has more attempts in flight than its concurrency, and starts the next when one ends", async () => {
    start({ concurrency: 2 });
    for (let n = 1; n <= 4; n += 1) {
      await test.record(`e${n}`, { mac: n });
    }
    await eventually(() => begun.length === 2);
    worker.wake();
    await test.record("e5", { mac: 5 });
    await eventually(() => worker.status().inFlight === 2);
    begun[0]!.end(OK);
    await eventually(() => begun.length === 3);
    await settled("e1", "succeeded");
    expect(begun.map(({ id }) => id)).toEqual(["e1", "e2", "e3"]);
    const [[leased] = []] = await test.database.query(
      "SELECT count(*) FROM delivery WHERE leased = 1",
    );
    expect(leased).toBe(2);
  });

  it("does not count released or lost attempts in the schedule", async () => {
    await test.record("a");
    for (let lost = 1; lost <= 3; lost += 1) {
      await test.claim({ kind: "http" });
      test.setClock(test.now() + 1000);
    }
    start({ respond: () => failed(500), scheduleMs: [0, 0] });
    await settled("a", "exhausted");
    // Three attempts were lost. The others are those of the schedule.
    expect(begun.map(({ attempt }) => attempt)).toEqual([4, 5, 6]);
  });

  it("claims nothing after its stop, and waits for the attempts in flight", async () => {
    start();
    await test.record("a");
    await eventually(() => has("a"));
    let hasStopped = false;
    const stopping = worker.stop(60_000).then(() => {
      hasStopped = true;
    });
    await test.record("b", { mac: 2 });
    await test.store().nextDueAt("d");
    expect(hasStopped).toBe(false);
    begun[0]!.end(OK);
    await stopping;
    expect(await attemptsOf("a")).toMatchObject({ state: "succeeded" });
    expect(begun).toHaveLength(1);
    expect(await attemptsOf("b")).toMatchObject({ attempt: 0 });
  });

  it("keeps its breaker closed when responses reject the event alone", async () => {
    start({
      respond: ({ event }) => (event.id === "last" ? OK : failed(422)),
      scheduleMs: [],
    });
    for (let n = 1; n <= 6; n += 1) {
      await test.record(`e${n}`, { mac: n });
      await settled(`e${n}`, "exhausted");
    }
    expect(worker.status().breaker).toMatchObject({
      state: "closed",
      failures: 0,
    });
    await test.record("last", { mac: 9 });
    await settled("last", "succeeded");
  });

  it("makes no attempt while its breaker is open except a probe, and makes all of them when it is resumed", async () => {
    let result: AttemptResult = failed(500);
    start({ respond: () => result, scheduleMs: [] });
    for (let n = 1; n <= 3; n += 1) {
      await test.record(`e${n}`, { mac: n });
      await settled(`e${n}`, "exhausted");
    }
    expect(worker.status().breaker).toMatchObject({ state: "open" });
    for (const [n, id] of ["w1", "w2", "w3"].entries()) {
      await test.record(id, { mac: 10 + n });
    }
    test.setClock(test.now() + 1000);
    worker.wake();
    await settled("w3", "exhausted");
    // The probe failed, so the worker waits again, however often it is woken.
    worker.wake();
    await test.store().nextDueAt("d");
    expect(begun.map(({ id }) => id)).toEqual(["e1", "e2", "e3", "w3"]);
    expect(worker.status().breaker).toMatchObject({ state: "open" });
    result = OK;
    worker.pause();
    worker.resume("operator");
    await settled("w1", "succeeded");
    await settled("w2", "succeeded");
  });

  it("makes a probe later when nothing is due at the time of the probe", async () => {
    let result: AttemptResult = failed(500);
    start({ respond: () => result, scheduleMs: [] });
    for (let n = 1; n <= 3; n += 1) {
      await test.record(`e${n}`, { mac: n });
      await settled(`e${n}`, "exhausted");
    }
    test.setClock(test.now() + 1000);
    worker.wake();
    // The worker is woken with nothing due, asks the store and finds nothing.
    await eventually(() => worker.status().breaker.state === "half-open");
    for (let turn = 0; turn < 20; turn += 1) {
      await test.store().nextDueAt("d");
      await new Promise(setImmediate);
    }
    result = OK;
    await test.record("after", { mac: 8 });
    await settled("after", "succeeded");
    expect(worker.status().breaker.state).toBe("closed");
  });

  it("waits for a claim in progress when it stops, and releases what was claimed", async () => {
    const { claim } = test.store();
    let letGo: () => void = () => undefined;
    const stopped = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    let isClaiming = false;
    start({
      store: {
        claim: async (request) => {
          isClaiming = true;
          await stopped;
          return claim(request);
        },
      },
    });
    await test.record("a");
    await eventually(() => isClaiming);
    const stopping = worker.stop(0);
    letGo();
    await stopping;
    expect(begun.map(({ id }) => id)).toEqual(["a"]);
    expect(await attemptsOf("a")).toMatchObject({
      state: "pending",
      inFlight: false,
      attempts: [{ reason: "released" }],
    });
  });

  it("tries one last time to write an outcome when it stops", async () => {
    const { settle } = test.store();
    let isFull = true;
    const stops: Promise<void>[] = [];
    start({
      respond: () => OK,
      store: {
        settle: async (settlement) => {
          if (isFull) {
            isFull = false;
            stops.push(worker.stop(0));
            throw FULL;
          }
          return settle(settlement);
        },
      },
    });
    await test.record("a");
    await eventually(() => stops.length === 1);
    await stops[0];
    expect(await attemptsOf("a")).toMatchObject({ state: "succeeded" });
  });

  it("attempts a delivery that crashed twice after all others have ended", async () => {
    start({ kind: "handler", respond: () => OK });
    await test.record("before");
    await settled("before", "succeeded");
    const later = test.now() + 3_600_000;
    await test.record("crashed_twice", { mac: 2, receivedAt: later });
    await test.database.execute(
      "UPDATE delivery SET crashes = 2 WHERE state = 'pending'",
    );
    test.setClock(later);
    worker.wake();
    await settled("crashed_twice", "succeeded");
    expect(begun.map(({ id }) => id)).toEqual(["before", "crashed_twice"]);
  });
});
