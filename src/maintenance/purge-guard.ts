import type { BackgroundService } from "../background/background-service.ts";
import type { Control } from "../store/port.ts";
import type { Emit } from "../telemetry/happening.ts";

/** Maximum time that the clock may be ahead of the expected time, in milliseconds. */
const MAX_AHEAD_MS = 3_600_000;

/** Time without purges after the clock was found ahead, in milliseconds of uptime. */
const HOLD_MS = 86_400_000;

/**
 * Decides whether purges may use the wall clock. A clock that is ahead would delete data that is not old: event ids, so that a
 * sender's retry would become a new event, and the audit trail.
 */
export interface PurgeGuard extends Required<Pick<BackgroundService, "start">> {
  /** Returns the wall time for purges, in Unix milliseconds; null = nothing may be purged now. */
  readonly purgeTime: () => number | null;
}

/**
 * Holds purges for a day of uptime if at startup the clock is more than an hour after the newest stored time, or if it jumps
 * ahead by more than an hour later. Must be started before this process stores anything.
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
      const present = at - monotonic();
      const aheadMs = present - distance;
      if (aheadMs > MAX_AHEAD_MS) {
        hold(at, aheadMs);
        distance = present;
      }
      distance = Math.min(distance, present);
      return monotonic() < heldUntil ? null : at;
    },
  };
}
