import type { BreakerStatus } from "./destination-status.ts";

/** What an attempt shows about the state of its destination; `neutral` = nothing. */
export type Verdict = "succeeded" | "failed" | "neutral";

/** Stops the attempts on a destination while all of them fail. Times are in milliseconds of a monotonic clock. */
export interface CircuitBreaker {
  /** Returns how many attempts may start now, at most `free`. */
  room: (free: number, now: number) => number;
  /** Returns the events that were probes since the breaker opened, so that the next probe is another event; null = closed. */
  probed: () => readonly number[] | null;
  /** Records that an attempt of this event started as the probe. Returns false if the breaker has closed in the meantime. */
  probeStarted: (event: number) => boolean;
  /** Records the result of an attempt of this event. */
  ended: (
    result: Verdict,
    attempt: {
      readonly event: number;
      readonly now: number;
      readonly isProbe: boolean;
    },
  ) => void;
  /** Closes the breaker because an operator asked for it. */
  reset: () => void;
  status: (now: number) => BreakerStatus;
}

/** Maximum number of events that are remembered as probes. With one probe a minute, they cover half a day. */
const MAX_PROBED = 720;

/**
 * Creates a closed breaker. It opens when the last `threshold` attempts failed and belong to at least `minEvents` events,
 * because one event that always fails shows nothing about the destination. While it is open, it allows one attempt, the
 * probe, after each wait of `waitsMs`; the last wait is repeated. The first success closes it. Deliveries that wait for the
 * breaker do not use up attempts.
 */
export function createCircuitBreaker(options: {
  threshold: number;
  minEvents: number;
  waitsMs: readonly number[];
  /** Called when the closed breaker opens and when it closes. */
  onChange: (state: "closed" | "open") => void;
}): CircuitBreaker {
  const { threshold, minEvents, waitsMs, onChange } = options;
  let failures = 0;
  /** The events of the latest consecutive failures, at most `threshold`. */
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
          // Every eligible event was a probe already, so the rotation starts again.
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
        // Attempts that were in flight when the breaker opened must not extend the wait.
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
