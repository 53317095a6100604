import { describe, expect, it } from "@jest/globals";
import { doneByOneProcess } from "../../../src/maintenance/one-process.ts";
import { createPurgeGuard } from "../../../src/maintenance/purge-guard.ts";

const HOUR_MS = 3_600_000;

describe("the maintenance of a shared store", () => {
  it("is done only while this process holds the lease", async () => {
    const names: string[] = [];
    let isHeld = false;
    const store = {
      holdLease: async (name: string) => {
        names.push(name);
        return isHeld;
      },
    };
    let times = 0;
    const work = doneByOneProcess(store, async () => {
      times += 1;
    });
    const { signal } = new AbortController();
    await work(signal);
    expect(times).toBe(0);
    isHeld = true;
    await work(signal);
    expect(times).toBe(1);
    expect(names).toEqual(["maintenance", "maintenance"]);
  });

  it("purges nothing while another process holds the purges, and reports its own hold to the others", async () => {
    let heldForMs = 0;
    /** The time that a process has stored last. */
    let newest = 0;
    const now = 100 * HOUR_MS;
    const guardOfProcess = () =>
      createPurgeGuard({
        store: {
          newestTime: async () => newest,
          holdPurges: async (forMs) => {
            heldForMs = forMs;
          },
          arePurgesHeld: async () => heldForMs > 0,
        },
        now: () => now,
        monotonic: () => 0,
        emit: () => undefined,
      });
    const first = guardOfProcess();
    await first.start();
    expect(await first.purgeTime()).toBeNull();
    expect(heldForMs).toBe(24 * HOUR_MS);
    // It stores the wrong time, so the next process cannot notice it.
    newest = now;
    const second = guardOfProcess();
    await second.start();
    expect(await second.purgeTime()).toBeNull();
    heldForMs = 0;
    expect(await second.purgeTime()).toBe(now);
  });
});
