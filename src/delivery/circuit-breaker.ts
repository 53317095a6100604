import type { BreakerStatus } from "./destination-status.ts";

/** Keeps attempts from a destination that fails each of them. Times in unix milliseconds. */
export interface CircuitBreaker {
  /** How many of `free` attempts may start now. */
  room: (free: number, now: number) => number;
  /** Attempts have started that there was room for; says whether they are the probe. */
  started: () => boolean;
  /** An attempt ended; `neutral` says nothing about the destination. */
  ended: (
    result: "succeeded" | "failed" | "neutral",
    now: number,
    isProbe: boolean,
  ) => void;
  /** Closes it: an operator knows better. */
  reset: () => void;
  status: (now: number) => BreakerStatus;
}

/**
 * Opens after `threshold` failures in a row. Then one attempt, the probe, is made after each wait of `waitsMs` (the last
 * one again and again); the first success closes it. Deliveries wait meanwhile, and their attempts are not used up.
 */
export function createCircuitBreaker(options: {
  threshold: number;
  waitsMs: readonly number[];
  /** Told when it opens after having been closed, and when it closes. */
  onChange: (state: "closed" | "open") => void;
}): CircuitBreaker {
  const { threshold, waitsMs, onChange } = options;
  let failures = 0;
  let openings = 0;
  let probeAt: number | null = null;
  let probing = false;

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
    openings = 0;
    probeAt = null;
    probing = false;
  }

  return {
    room(free, now) {
      if (probeAt === null) {
        return free;
      }
      return now < probeAt || probing ? 0 : Math.min(1, free);
    },
    started() {
      probing = probeAt !== null;
      return probing;
    },
    ended(result, now, isProbe) {
      if (isProbe) {
        probing = false;
      }
      if (result === "succeeded") {
        reset();
      } else if (result === "failed") {
        failures += 1;
        // Others that were under way when it opened say nothing new.
        if (probeAt === null ? failures >= threshold : isProbe) {
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
