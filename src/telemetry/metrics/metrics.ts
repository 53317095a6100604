import { Gauge, Registry } from "./prom-client.ts";
import { type Happening, isMeasurement } from "../happening.ts";
import type { Measurement } from "../measurement.ts";
import { createAttemptMetrics } from "./attempt-metrics.ts";
import { type AuditActions, createCommitMetrics } from "./commit-metrics.ts";
import { createEventLoopDelay } from "./event-loop-delay.ts";
import {
  createGauges,
  type ProcessReading,
  type StoreReading,
} from "./gauges.ts";
import { processMetrics } from "./process-metrics.ts";
import { createRequestMetrics } from "./request-metrics.ts";

/** The media type of the Prometheus text format. */
export const METRICS_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

export interface Metrics {
  /** Counts and times a happening. It subscribes to telemetry. */
  readonly observe: (happening: Happening) => void;
  /** Returns all metrics as text. Null: see `createGauges`. Calls must not overlap. */
  readonly render: (
    process: ProcessReading,
    store: StoreReading | null,
    isAuditIntact: boolean | null,
  ) => Promise<string>;
  readonly start: () => void;
  readonly stop: () => Promise<void>;
}

/** Creates the metrics of one service. docs/metrics.md lists them. */
export function createMetrics(options: {
  readonly version: string;
  readonly actions: AuditActions;
}): Metrics {
  const register = new Registry();
  const requests = createRequestMetrics(register);
  const attempts = createAttemptMetrics(register);
  const commits = createCommitMetrics(register, options.actions);
  const setGauges = createGauges(register);
  const loop = createEventLoopDelay();
  const loopDelay = new Gauge({
    name: "hexhook_event_loop_delay_seconds",
    help: "99th percentile of the event loop delay of the last 10 to 20 s",
    registers: [register],
  });
  new Gauge({
    name: "hexhook_build_info",
    help: "1, with the version of Hexhook",
    labelNames: ["version"],
    registers: [register],
  }).set({ version: options.version }, 1);

  function count(measurement: Measurement): void {
    switch (measurement.type) {
      case "request.responded":
        requests.responded(measurement);
        break;
      case "store.committed":
        commits.committed(measurement);
        break;
      case "attempt.ended":
        attempts.ended(measurement);
        break;
      case "audit.suppressed":
        commits.suppressed(measurement.count);
        break;
    }
  }

  return {
    observe(happening) {
      if (happening.type === "event.unrouted") {
        requests.unrouted(happening.source);
      } else if (isMeasurement(happening)) {
        count(happening);
      }
    },
    async render(process, store, isAuditIntact) {
      requests.addSources(process.sources.map(({ name }) => name));
      attempts.addDestinations(process.destinations.map(({ name }) => name));
      setGauges(process, store, isAuditIntact);
      loopDelay.set(loop.p99());
      return `${await register.metrics()}\n${await processMetrics()}`;
    },
    start: loop.start,
    stop: loop.stop,
  };
}
