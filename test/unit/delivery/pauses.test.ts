import { beforeEach, describe, expect, it } from "@jest/globals";
import { requestedPause } from "../../../src/delivery/pause-by-retry-after.ts";
import { createPauses, type Pauses } from "../../../src/delivery/pauses.ts";
import type { AttemptResult } from "../../../src/domain/delivery.ts";
import type { Store } from "../../../src/store/port.ts";
import {
  draftOf,
  openStoreOfKind,
  SQLITE,
  type TestStore,
} from "../../support/stores.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

const response = (status: number, retryAfterMs?: number): AttemptResult => ({
  ok: false,
  reason: "status",
  status,
  ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
});

describe("the pause that a response requests", () => {
  it.each<[string, AttemptResult, number | null]>([
    ["429", response(429, 5000), 5000],
    ["503", response(503, 5000), 5000],
    ["an absurd time, one hour", response(429, Number.MAX_SAFE_INTEGER), HOUR],
    ["more than an hour, one hour", response(503, HOUR + 1), HOUR],
    ["a time in the past, no pause", response(429, 0), null],
    ["a missing or invalid Retry-After, no pause", response(429), null],
    ["500, no pause", response(500, 5000), null],
    ["410, no pause", response(410, 5000), null],
    ["200, no pause", { ok: true, status: 200 }, null],
    ["no response, no pause", { ok: false, reason: "timeout" }, null],
  ])("follows its status and Retry-After: %s", (_what, result, pauseMs) => {
    const pause = requestedPause("d", result, 1000);
    expect(pause === undefined ? null : pause.until - pause.at).toBe(pauseMs);
  });
});

describe("pauses", () => {
  let test: TestStore;
  let pauses: Pauses;
  let changed: [string, string][];
  let elapsed: number;
  let macs: number;

  beforeEach(async () => {
    test = await openStoreOfKind(SQLITE);
    elapsed = 0;
    macs = 0;
    pauses = pausesOf();
  });

  function pausesOf(store: Partial<Store> = {}): Pauses {
    changed = [];
    return createPauses({
      store: { ...test.store(), ...store },
      now: test.now,
      monotonic: () => elapsed,
      onChange: (name, by) => {
        changed.push([isPaused(name) ? "paused" : "resumed", by]);
      },
    });
  }

  const isPaused = (name: string): boolean =>
    pauses.pauseOf(name) !== undefined;

  /** Advances both clocks. */
  function pass(ms: number): void {
    elapsed += ms;
    test.setClock(test.now() + ms);
  }

  async function settle(result: AttemptResult): Promise<boolean> {
    macs += 1;
    await test.record(`e${macs}`, { mac: macs, receivedAt: test.now() });
    const [claimed] = await test.claim();
    const { id, attempt } = claimed!;
    return pauses.settle({
      deliveryId: id,
      attempt,
      endedAt: test.now(),
      result,
      next: { state: result.ok ? "succeeded" : "exhausted" },
      entry: draftOf("delivery.failed"),
      pause: requestedPause("d", result, test.now()),
    });
  }

  const trail = async () =>
    (await test.entries())
      .filter(({ action }) => action.startsWith("destination."))
      .map(({ action, userId }) => `${action} ${userId}`);

  it("start with the response and end on time, each with one entry", async () => {
    await settle(response(429, 10_000));
    await settle(response(503, 10_000));
    // Late responses that succeed, or that request a shorter pause, change nothing.
    await settle({ ok: true, status: 200 });
    await settle(response(429, 1000));
    pass(9999);
    await pauses.refresh();
    expect(isPaused("d")).toBe(true);
    pass(1);
    await pauses.refresh();
    await pauses.refresh();
    expect(isPaused("d")).toBe(false);
    expect(changed).toEqual([
      ["paused", "system"],
      ["resumed", "system"],
    ]);
    expect(await trail()).toEqual([
      "destination.paused system",
      "destination.resumed system",
    ]);
  });

  it("are extended when a later response requests more", async () => {
    await settle(response(429, 10_000));
    pass(5000);
    await settle(response(429, 60_000));
    pass(10_000);
    await pauses.refresh();
    expect(isPaused("d")).toBe(true);
    pass(50_000);
    await pauses.refresh();
    expect(isPaused("d")).toBe(false);
  });

  it.each([
    ["back", -DAY],
    ["forward", DAY],
  ])("keep their length when the wall clock is set %s", async (_way, step) => {
    await settle(response(429, 10_000));
    test.setClock(test.now() + step);
    pass(9000);
    await pauses.refresh();
    expect(isPaused("d")).toBe(true);
    pass(1000);
    await pauses.refresh();
    expect(isPaused("d")).toBe(false);
  });

  it("survive a restart, and then last at most an hour whatever the clock shows", async () => {
    await settle(response(429, 10_000));
    pass(4000);
    pauses = pausesOf();
    await pauses.refresh();
    expect(isPaused("d")).toBe(true);
    test.setClock(test.now() - DAY);
    pauses = pausesOf();
    await pauses.refresh();
    pass(HOUR - 1);
    await pauses.refresh();
    expect(isPaused("d")).toBe(true);
    pass(1);
    await pauses.refresh();
    expect(isPaused("d")).toBe(false);
  });

  it("that ended while no process ran end at startup, with their entry", async () => {
    await settle(response(429, 10_000));
    pass(DAY);
    pauses = pausesOf();
    await pauses.refresh();
    expect(isPaused("d")).toBe(false);
    expect(await trail()).toEqual([
      "destination.paused system",
      "destination.resumed system",
    ]);
  });

  it("end when an operator resumes the destination", async () => {
    await settle(response(429, 10_000));
    await pauses.setPaused("d", "alice", false);
    expect(isPaused("d")).toBe(false);
    pass(20_000);
    await pauses.refresh();
    expect(await trail()).toEqual([
      "destination.paused system",
      "destination.resumed operator:alice",
    ]);
    expect(changed.at(-1)).toEqual(["resumed", "operator"]);
  });

  it("are replaced by a pause of an operator", async () => {
    await settle(response(429, 10_000));
    await pauses.setPaused("d", "alice", true);
    await settle(response(429, 10_000));
    pass(DAY);
    await pauses.refresh();
    expect(isPaused("d")).toBe(true);
    expect(await trail()).toEqual([
      "destination.paused system",
      "destination.paused operator:alice",
    ]);
  });

  it("of another process on the store are found, and so is their end", async () => {
    const other = pauses;
    await settle(response(429, 10_000));
    pauses = pausesOf();
    await pauses.refresh();
    expect(isPaused("d")).toBe(true);
    await other.setPaused("d", "alice", false);
    await pauses.refresh();
    expect(isPaused("d")).toBe(false);
    expect(changed.at(-1)).toEqual(["resumed", "operator"]);
  });

  it("are not undone by a refresh while they are written", async () => {
    const { settle: write } = test.store();
    pauses = pausesOf({
      settle: async (settlement) => {
        await pauses.refresh();
        return write(settlement);
      },
    });
    await settle(response(429, 10_000));
    expect(changed).toEqual([["paused", "system"]]);
  });

  it("are not undone by a refresh that began before they were written", async () => {
    const { pausedDestinations } = test.store();
    pauses = pausesOf({
      pausedDestinations: async () => {
        const rows = await pausedDestinations();
        await settle(response(429, 10_000));
        return rows;
      },
    });
    await pauses.refresh();
    expect(changed).toEqual([["paused", "system"]]);
  });
});
