import type { Registry } from "prom-client";
import { Counter, Histogram } from "./prom-client.ts";
import type { Measurement } from "../measurement.ts";

type Committed = Extract<Measurement, { type: "store.committed" }>;

/** In seconds. A commit on a local SSD takes about a millisecond. */
const DURATIONS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
];

const RECORDS = [1, 2, 5, 10, 20, 50, 100, 200, 500];

/** The closed list of audit actions, and how to find the action of an entry's line. */
export interface AuditActions {
  readonly all: readonly string[];
  readonly ofLine: (line: string) => string;
}

export interface CommitMetrics {
  readonly committed: (happening: Committed) => void;
  readonly suppressed: (count: number) => void;
}

export function createCommitMetrics(
  register: Registry,
  actions: AuditActions,
): CommitMetrics {
  const registers = [register];
  const durations = new Histogram({
    name: "hexhook_store_commit_duration_seconds",
    help: "Time from the start of a transaction until it is durable",
    buckets: DURATIONS,
    registers,
  });
  const records = new Histogram({
    name: "hexhook_store_commit_records",
    help: "Messages recorded in one transaction; others are not observed",
    buckets: RECORDS,
    registers,
  });
  const entries = new Counter({
    name: "hexhook_audit_entries_total",
    help: "Audit entries written by this process",
    labelNames: ["action"],
    registers,
  });
  const suppressed = new Counter({
    name: "hexhook_audit_suppressed_total",
    help: "Audit entries that were counted instead of written",
    registers,
  });
  const byAction = new Map(
    actions.all.map((action) => [action, entries.labels(action)]),
  );
  for (const count of byAction.values()) {
    count.inc(0);
  }

  return {
    committed({ durationMs, records: recorded, entries: written }) {
      durations.observe(durationMs / 1000);
      if (recorded > 0) {
        records.observe(recorded);
      }
      for (const { line } of written) {
        byAction.get(actions.ofLine(line))?.inc();
      }
    },
    suppressed(count) {
      suppressed.inc(count);
    },
  };
}
