import { beforeEach, describe, expect, it } from "@jest/globals";
import { requestedPause } from "../../src/delivery/pause-by-retry-after.ts";
import {
  draftOf,
  KINDS,
  openStoreOfKind,
  type TestStore,
} from "../support/stores.ts";

describe.each(KINDS)(
  "a pause that a destination requests, in a $name store",
  (kind) => {
    let test: TestStore;
    let macs = 0;

    beforeEach(async () => {
      test = await openStoreOfKind(kind);
    });

    /** Settles an attempt whose response had this Retry-After. Returns false if the lease was lost. */
    async function asked(retryAfterMs: number, attempt = 1): Promise<boolean> {
      macs += 1;
      await test.record(`e${macs}`, { mac: macs, receivedAt: test.now() });
      const [claimed] = await test.claim();
      const result = {
        ok: false,
        reason: "status",
        status: 429,
        retryAfterMs,
      } as const;
      return test.store().settle({
        deliveryId: claimed!.id,
        attempt,
        endedAt: test.now(),
        result,
        next: { state: "exhausted" },
        entry: draftOf("delivery.exhausted"),
        pause: requestedPause("d", result, test.now()),
      });
    }

    const paused = async () => {
      const [row] = await test.store().pausedDestinations();
      return row === undefined ? null : [row.pausedBy, row.pausedUntil];
    };
    const pauseEntries = async () =>
      (await test.entries()).filter(({ action }) =>
        action.startsWith("destination."),
      );

    it("is written with its entry, and a later end extends it without another entry", async () => {
      await asked(10_000);
      expect(await paused()).toEqual(["system", 15_000]);
      await asked(2000);
      expect(await paused()).toEqual(["system", 15_000]);
      await asked(60_000);
      expect(await paused()).toEqual(["system", 65_000]);
      expect(await pauseEntries()).toMatchObject([
        {
          action: "destination.paused",
          userId: "system",
          resource: "/destinations/d",
          metadata: {
            reason: "retry_after",
            status: 429,
            until: "1970-01-01T00:00:15.000Z",
          },
        },
      ]);
      await test.restart();
      expect(await paused()).toEqual(["system", 65_000]);
    });

    it("is not written if the lease was lost", async () => {
      expect(await asked(10_000, 2)).toBe(false);
      expect([await paused(), await pauseEntries()]).toEqual([null, []]);
    });

    it("does not change an operator's pause, which lasts longer", async () => {
      const entry = draftOf("destination.paused");
      await asked(10_000);
      await test.store().setPaused("d", { at: 6000, by: "alice" }, entry);
      expect(await paused()).toEqual(["alice", null]);
      await asked(60_000);
      expect(await paused()).toEqual(["alice", null]);
      expect(await test.store().endPause("d", 15_000, entry)).toBe(false);
      expect(await paused()).toEqual(["alice", null]);
      expect(await pauseEntries()).toHaveLength(2);
    });

    it("ends once, and not if it was extended meanwhile", async () => {
      const entry = draftOf("destination.resumed");
      await asked(10_000);
      await asked(60_000);
      expect(await test.store().endPause("d", 15_000, entry)).toBe(false);
      expect(await test.store().endPause("d", 65_000, entry)).toBe(true);
      expect(await test.store().endPause("d", 65_000, entry)).toBe(false);
      expect(await paused()).toBeNull();
      expect((await pauseEntries()).map(({ action }) => action)).toEqual([
        "destination.paused",
        "destination.resumed",
      ]);
    });

    it("replaces a pause beyond the maximum, which was stored while the clock was ahead", async () => {
      test.setClock(5000 + 86_400_000);
      await asked(10_000);
      test.setClock(5000);
      await asked(2000);
      expect(await paused()).toEqual(["system", 7000]);
    });
  },
);

describe.each(KINDS)("the paused destinations of a $name store", (kind) => {
  it("are remembered with who paused them across a restart", async () => {
    const test = await openStoreOfKind(kind);
    const entry = draftOf("config.reloaded");
    const other = await test.openAgain({ delivers: false });
    const changes = await Promise.all([
      test.store().setPaused("d", { at: 7000, by: "alice" }, entry),
      other.setPaused("d", { at: 7000, by: "alice" }, entry),
    ]);
    // Of two operators at once, one changes it and has the entry.
    expect(changes.sort()).toEqual([false, true]);
    for (const [name, paused, isChanged] of [
      ["d", { at: 8000, by: "bob" }, false],
      ["e", null, false],
      ["e", { at: 7000, by: "alice" }, true],
      ["e", null, true],
    ] as const) {
      expect(await test.store().setPaused(name, paused, entry)).toBe(isChanged);
    }
    await test.restart();
    expect(await test.store().pausedDestinations()).toEqual([
      { name: "d", pausedAt: 7000, pausedBy: "alice", pausedUntil: null },
    ]);
    expect(await test.entries()).toHaveLength(3);
  });
});
