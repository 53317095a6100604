import type { RecentRequests } from "../store/records.ts";
import type { Happening } from "../telemetry/happening.ts";
import type { RequestOutcome } from "../telemetry/measurement.ts";

const SECONDS = 60;

type Kind = keyof RecentRequests;

/** Counts the requests of the last minute by outcome, in slots of one second. */
export function createRecentRequests(deps: {
  /** Milliseconds of a monotonic clock. */
  readonly monotonic: () => number;
}): {
  /** Counts the requests among the happenings of the service. */
  readonly subscriber: (happening: Happening) => void;
  readonly lastMinute: () => RecentRequests;
} {
  const counts: Readonly<Record<Kind, Float64Array>> = {
    accepted: new Float64Array(SECONDS),
    repeated: new Float64Array(SECONDS),
    rejected: new Float64Array(SECONDS),
  };
  const all = Object.values(counts);
  let second = Math.floor(deps.monotonic() / 1000);

  /** Empties the slots of the seconds since the last call, and returns the slot of this second. */
  function advance(): number {
    const current = Math.floor(deps.monotonic() / 1000);
    const passed = Math.min(current - second, SECONDS);
    for (let i = 1; i <= passed; i += 1) {
      for (const slots of all) {
        slots[(second + i) % SECONDS] = 0;
      }
    }
    second = current;
    return current % SECONDS;
  }

  const sum = (slots: Float64Array): number => slots.reduce((a, b) => a + b, 0);

  return {
    subscriber(happening) {
      const kind =
        happening.type === "request.responded"
          ? kindOf(happening.outcome)
          : null;
      if (kind !== null) {
        const slot = advance();
        counts[kind][slot] = (counts[kind][slot] ?? 0) + 1;
      }
    },
    lastMinute() {
      advance();
      return {
        accepted: sum(counts.accepted),
        repeated: sum(counts.repeated),
        rejected: sum(counts.rejected),
      };
    },
  };
}

/** Returns null for an outcome that is not counted. */
function kindOf(outcome: RequestOutcome): Kind | null {
  if (outcome === "accepted") {
    return "accepted";
  }
  if (outcome === "duplicate" || outcome === "replayed") {
    return "repeated";
  }
  return outcome === "handshake" ? null : "rejected";
}
