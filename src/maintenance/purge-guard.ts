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
  readonly purgeTime: () => number | null;
}

/**
 * Holds purges for a day of uptime if at startup the clock is more than an hour after the newest stored time, or if the clock
 * later jumps ahead by more than an hour. Must be started before this process stores anything.
 */
export function createPurgeGuard(deps: {
  readonly store: Pick<Control, "newestTime">;
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

  function hold(at: number, aheadMs: number): void {
    heldUntil = monotonic() + HOLD_MS;
    const clock = new Date(at).toISOString();
    emit({ type: "purge.held", clock, aheadMs: Math.round(aheadMs) });
  }

  return {
    async start() {
      const at = now();
      const newest = await store.newestTime(at);
      if (newest !== null && at - newest > MAX_AHEAD_MS) {
        hold(at, at - newest);
      }
    },
    purgeTime() {
      const at = now();
      const current = at - monotonic();
      const aheadMs = current - distance;
      if (aheadMs > MAX_AHEAD_MS) {
        hold(at, aheadMs);
        distance = current;
      }
      distance = Math.min(distance, current);
      return monotonic() < heldUntil ? null : at;
    },
  };
}
