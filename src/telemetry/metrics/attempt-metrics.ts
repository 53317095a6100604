import type * as client from "prom-client";
import { Counter, Histogram } from "./prom-client.ts";
import type { AttemptOutcome, Measurement } from "../measurement.ts";

type Ended = Extract<Measurement, { type: "attempt.ended" }>;

const RESULTS: readonly AttemptOutcome[] = ["succeeded", "failed", "exhausted"];

/** In seconds. The default time limit of an attempt is 10 s. */
const DURATIONS = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
];

/** The series of a destination, so that labels are resolved once. */
interface DestinationSeries {
  readonly counts: ReadonlyMap<AttemptOutcome, client.Counter.Internal>;
  readonly duration: client.Histogram.Internal<string>;
}

export interface AttemptMetrics {
  readonly ended: (happening: Ended) => void;
  /** Makes the counters of these destinations exist, with 0. */
  readonly addDestinations: (names: Iterable<string>) => void;
}

export function createAttemptMetrics(
  register: client.Registry,
): AttemptMetrics {
  const registers = [register];
  const attempts = new Counter({
    name: "hexhook_delivery_attempts_total",
    help: "Attempts that ended; exhausted: the delivery gets no further attempt",
    labelNames: ["destination", "result"],
    registers,
  });
  const durations = new Histogram({
    name: "hexhook_delivery_attempt_duration_seconds",
    help: "Duration of the attempts that ended",
    labelNames: ["destination"],
    buckets: DURATIONS,
    registers,
  });
  const byDestination = new Map<string, DestinationSeries>();

  function add(destination: string): DestinationSeries {
    const counts = new Map(
      RESULTS.map((result) => [result, attempts.labels(destination, result)]),
    );
    for (const count of counts.values()) {
      count.inc(0);
    }
    durations.zero({ destination });
    const series = { counts, duration: durations.labels(destination) };
    byDestination.set(destination, series);
    return series;
  }

  return {
    ended({ destination, result, durationMs }) {
      const series = byDestination.get(destination) ?? add(destination);
      series.counts.get(result)?.inc();
      series.duration.observe(durationMs / 1000);
    },
    addDestinations(names) {
      for (const name of names) {
        if (!byDestination.has(name)) {
          add(name);
        }
      }
    },
  };
}
