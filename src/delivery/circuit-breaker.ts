import type { BreakerStatus } from "./destination-status.ts";

/** What an attempt says of its destination; `neutral`: nothing. */
export type Verdict = "succeeded" | "failed" | "neutral";

/** Keeps attempts from a destination that fails each of them. Times in milliseconds of a monotonic clock. */
export interface CircuitBreaker {
  /** How many of `free` attempts may start now. */
  room: (free: number, now: number) => number;
  /** The events that were probes since it opened, which the next probe leaves alone; null while it is closed. */
  probed: () => readonly number[] | null;
  /** An attempt of this event has started as the probe; false when it has closed meanwhile. */
  probeStarted: (event: number) => boolean;
  /** An attempt of this event ended. */
  ended: (
    result: Verdict,
    attempt: {
      readonly event: number;
      readonly now: number;
      readonly isProbe: boolean;
    },
  ) => void;
  /** Closes it: an operator knows better. */
  reset: () => void;
  status: (now: number) => BreakerStatus;
}

/** Maximum number of events that are remembered as probes: at one a minute, those of half a day. */
const MAX_PROBED = 720;

/**
 * Opens when the last `threshold` attempts failed and are of at least `minEvents` events: one event that always fails says
 * nothing about the destination. Then one attempt, the probe, is made after each wait of `waitsMs` (the last one again and
 * again); the first success closes it. Deliveries wait meanwhile, and their attempts are not used up.
 */
export function createCircuitBreaker(options: {
  threshold: number;
  minEvents: number;
  waitsMs: readonly number[];
  /** Told when it opens after having been closed, and when it closes. */
  onChange: (state: "closed" | "open") => void;
}): CircuitBreaker {
  const { threshold, minEvents, waitsMs, onChange } = options;
  let failures = 0;
  /** The events of the last failures in a row, `threshold` at most. */
  let failed: number[] = [];
  let openings = 0;
  let probeAt: number | null = null;
  let probing = false;
  const probed = new Set<number>();

  function open(now: number): void {
    const wait = waitsMs[Math.min(openings, waitsMs.length - 1)] ?? 0;
    if (probeAt === null) {
      onChange("open");
    }
    openings += 1;
    probeAt = now + wait;
  }

  function reset(): void {
    if (probeAt !== null) {
      onChange("closed");
    }
    failures = 0;
    failed = [];
    openings = 0;
    probeAt = null;
    probing = false;
    probed.clear();
  }

  function isDown(): boolean {
    return failed.length >= threshold && new Set(failed).size >= minEvents;
  }

  return {
    room(free, now) {
      if (probeAt === null) {
        return free;
      }
      return now < probeAt || probing ? 0 : Math.min(1, free);
    },
    probed: () => (probeAt === null ? null : [...probed]),
    probeStarted(event) {
      probing = probeAt !== null;
      if (probing) {
        if (probed.has(event) || probed.size >= MAX_PROBED) {
          // Each of them was a probe: begin again.
          probed.clear();
        }
        probed.add(event);
      }
      return probing;
    },
    ended(result, { event, now, isProbe }) {
      if (isProbe) {
        probing = false;
      }
      if (result === "succeeded") {
        reset();
      } else if (result === "failed") {
        failures += 1;
        failed = [...failed, event].slice(-threshold);
        // Others that were in flight when it opened say nothing new.
        if (probeAt === null ? isDown() : isProbe) {
          open(now);
        }
      }
    },
    reset,
    status(now) {
      const state =
        probeAt === null ? "closed" : now < probeAt ? "open" : "half-open";
      return { state, failures, probeAt };
    },
  };
}
