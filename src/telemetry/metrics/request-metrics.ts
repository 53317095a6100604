import type * as client from "prom-client";
import { Counter, Histogram } from "./prom-client.ts";
import { PROBLEMS } from "../../errors.ts";
import type { Measurement, RequestOutcome } from "../measurement.ts";

type Responded = Extract<Measurement, { type: "request.responded" }>;

/** The value of the label `source` for a request that belongs to no source. */
const NO_SOURCE = "none";

/** The management API alone has `attempt_in_flight`. */
const OUTCOMES = [
  "accepted",
  "duplicate",
  "handshake",
  ...Object.keys(PROBLEMS).filter((code) => code !== "attempt_in_flight"),
] as readonly RequestOutcome[];

/** In seconds. Senders wait between 3 and 30 s for the response. */
const DURATIONS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];

/** In seconds, in both directions. The default replay window is 300 s. */
const SKEWS = [-300, -60, -10, -5, -1, 0, 1, 5, 10, 60, 300, 900];

/** The series of a source, so that labels are resolved once. */
interface SourceSeries {
  readonly count: client.Counter.Internal;
  readonly duration: client.Histogram.Internal<string>;
}

export interface RequestMetrics {
  readonly responded: (happening: Responded) => void;
  /** An event matches no destination. */
  readonly unrouted: (source: string) => void;
  /** Makes the counters of these sources exist, with 0. */
  readonly addSources: (names: Iterable<string>) => void;
}

export function createRequestMetrics(
  register: client.Registry,
): RequestMetrics {
  const registers = [register];
  const requests = new Counter({
    name: "hexhook_http_requests_total",
    help: "Requests to the public listener, without health checks",
    labelNames: ["source", "outcome"],
    registers,
  });
  const durations = new Histogram({
    name: "hexhook_http_request_duration_seconds",
    help: "Time from the header block of a request to its response",
    labelNames: ["source", "outcome"],
    buckets: DURATIONS,
    registers,
  });
  const skews = new Histogram({
    name: "hexhook_signature_skew_seconds",
    help: "This clock minus the signed time of a verified message",
    labelNames: ["source"],
    buckets: SKEWS,
    registers,
  });
  const unrouted = new Counter({
    name: "hexhook_events_unrouted_total",
    help: "Stored events that match no destination",
    labelNames: ["source"],
    registers,
  });
  const bySource = new Map<string, Map<RequestOutcome, SourceSeries>>();
  const skewBySource = new Map<string, client.Histogram.Internal<string>>();

  function add(source: string): Map<RequestOutcome, SourceSeries> {
    const series = new Map(
      OUTCOMES.map((outcome) => [
        outcome,
        {
          count: requests.labels(source, outcome),
          duration: durations.labels(source, outcome),
        },
      ]),
    );
    for (const { count } of series.values()) {
      count.inc(0);
    }
    bySource.set(source, series);
    skewBySource.set(source, skews.labels(source));
    if (source !== NO_SOURCE) {
      durations.zero({ source, outcome: "accepted" });
      unrouted.labels(source).inc(0);
    }
    return series;
  }
  add(NO_SOURCE);

  return {
    responded({ source, outcome, durationMs, skewSeconds }) {
      const name = source ?? NO_SOURCE;
      const series = (bySource.get(name) ?? add(name)).get(outcome);
      series?.count.inc();
      if (durationMs !== null) {
        series?.duration.observe(durationMs / 1000);
      }
      if (skewSeconds !== undefined) {
        skewBySource.get(name)?.observe(skewSeconds);
      }
    },
    unrouted(source) {
      unrouted.labels(source).inc();
    },
    addSources(names) {
      for (const name of names) {
        if (!bySource.has(name)) {
          add(name);
        }
      }
    },
  };
}
