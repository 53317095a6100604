import type { BackgroundService } from "../background/background-service.ts";
import type { Control } from "../store/port.ts";
import type { Emit } from "../telemetry/happening.ts";

/** How far ahead the clock may be of what it should show, in milliseconds. */
const MAX_AHEAD_MS = 3_600_000;

/** Uptime without any purge after the clock was found ahead, in milliseconds. */
const HOLD_MS = 86_400_000;

/**
 * Says whether the wall clock may decide what is old. One that is wrong and ahead would delete what is not: event ids, so
 * that a sender's retry would be a new event, and the trail.
 */
export interface PurgeGuard extends Required<Pick<BackgroundService, "start">> {
  /** The wall time to purge by, in unix milliseconds; null = nothing may be purged now. */
  readonly purgeTime: () => number | null;
}

/**
 * Holds purges for a day of uptime when the clock is more than an hour after the newest stored time at start, or when it
 * jumps ahead by more than that afterwards. To be started before this process stores anything.
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
  /** Wall clock less monotonic clock, at their last look; lower after a step back, and as long as no step ahead is found. */
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
