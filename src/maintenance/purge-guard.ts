import type { BackgroundService } from "../background/background-service.ts";
import type { Control } from "../store/port.ts";
import type { Emit } from "../telemetry/happening.ts";

/** Maximum time that the clock may be ahead of the expected time, in milliseconds. */
const MAX_AHEAD_MS = 3_600_000;

/** Time without purges after the clock was found ahead, in milliseconds of uptime. */
const HOLD_MS = 86_400_000;

/**
 * Decides whether purges may use the wall clock. With a clock that is ahead, a purge would delete recent audit entries and recent
 * event ids. A sender's retry of such an event would then become a new event.
 */
export interface PurgeGuard extends Required<Pick<BackgroundService, "start">> {
  /** Returns the wall time for purges, in Unix milliseconds; null = nothing may be purged now. */
  readonly purgeTime: () => Promise<number | null>;
}

/**
 * Holds purges for a day of uptime if at startup the clock is more than an hour after the newest stored time, or if the clock
 * later jumps ahead by more than an hour. The hold applies to all processes of a shared store. Must be started before this
 * process stores anything.
 */
export function createPurgeGuard(deps: {
  readonly store: Pick<Control, "newestTime" | "holdPurges" | "arePurgesHeld">;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds of a monotonic clock. */
  readonly monotonic: () => number;
  readonly emit: Emit;
}): PurgeGuard {
  const { store, now, monotonic, emit } = deps;
  /** Wall clock minus monotonic clock: the lowest value since startup, or since the last jump ahead. */
  let distance = now() - monotonic();
  let heldUntil = Number.NEGATIVE_INFINITY;

  async function hold(at: number, aheadMs: number): Promise<void> {
    heldUntil = monotonic() + HOLD_MS;
    const clock = new Date(at).toISOString();
    emit({ type: "purge.held", clock, aheadMs: Math.round(aheadMs) });
    // A process that starts after this one finds times of the wrong clock in the store, and cannot notice it.
    await store.holdPurges(HOLD_MS);
  }

  return {
    async start() {
      const at = now();
      const newest = await store.newestTime(at);
      if (newest !== null && at - newest > MAX_AHEAD_MS) {
        await hold(at, at - newest);
      }
    },
    async purgeTime() {
      const at = now();
      const current = at - monotonic();
      const aheadMs = current - distance;
      if (aheadMs > MAX_AHEAD_MS) {
        distance = current;
        await hold(at, aheadMs);
      }
      distance = Math.min(distance, current);
      const isHeld = monotonic() < heldUntil || (await store.arePurgesHeld());
      return isHeld ? null : at;
    },
  };
}
