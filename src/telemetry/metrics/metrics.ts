import { Gauge, Registry } from "prom-client";
import type { Happening } from "../happening.ts";
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

  return {
    observe(happening) {
      switch (happening.type) {
        case "request.responded":
          requests.responded(happening);
          break;
        case "store.committed":
          commits.committed(happening);
          break;
        case "attempt.ended":
          attempts.ended(happening);
          break;
        case "audit.suppressed":
          commits.suppressed(happening.count);
          break;
        case "event.unrouted":
          requests.unrouted(happening.source);
          break;
        default:
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
