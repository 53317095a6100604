import type { AuditDraft } from "../entry.ts";
import type { SinkError, SinkName } from "./sink.ts";

/** A temporary failure is reported when it happens this many times in a row. */
const FAILURES_TO_REPORT = 2;

/** A failure whose retry wait is at least this long, in milliseconds, is reported at once. */
const LONG_WAIT_MS = 30_000;

/**
 * A sink that keeps failing and recovering is reported at most once in this time, because each report is an entry that the
 * sink must accept too.
 */
const REPORT_EVERY_MS = 60_000;

const ENTRIES = {
  degraded: { action: "audit.sink_degraded", result: "failure" },
  recovered: { action: "audit.sink_recovered", result: "success" },
} as const satisfies Record<string, Pick<AuditDraft, "action" | "result">>;

type Failure = Pick<SinkError, "reason" | "kind" | "status" | "retryAfterMs">;

export interface SinkHealth {
  /** The sink failed. `since`: when it stopped accepting entries, in unix milliseconds. */
  readonly failed: (
    failure: Failure,
    at: { readonly position: number; readonly since: number },
  ) => void;
  /** Reports a failure that continues, if it could not be reported before because of REPORT_EVERY_MS. */
  readonly remind: () => void;
  readonly worked: (position: number) => void;
  /** When the sink stopped accepting entries (unix milliseconds); null = no failure is reported. */
  readonly degradedSince: () => number | null;
  /** Continues with the state that another process has reported. */
  readonly resume: (degradedSince: number | null) => void;
}

/** Reports once when a sink fails, and once when it works again. */
export function createSinkHealth(
  sink: SinkName,
  deps: {
    report: (draft: AuditDraft) => void;
    /** Unix milliseconds. */
    now: () => number;
    /** Milliseconds of a monotonic clock. */
    monotonic: () => number;
  },
): SinkHealth {
  const { report, now, monotonic } = deps;
  let failures = 0;
  let since = 0;
  let isReported = false;
  let reportedAt = Number.NEGATIVE_INFINITY;
  /** The last failure that must be reported. */
  let last: { failure: Failure; position: number } | null = null;

  const entry = (
    change: keyof typeof ENTRIES,
    at: number,
    facts: object,
  ): AuditDraft => ({
    ...ENTRIES[change],
    at,
    userId: "system",
    resource: "audit",
    metadata: { sink, since: new Date(since).toISOString(), ...facts },
  });

  function remind(): void {
    const at = monotonic();
    if (isReported || last === null) {
      return;
    }
    const { failure, position } = last;
    // The pump ends after a final failure, so it must be reported at once.
    const isFinal = failure.kind === "final";
    if (isFinal || at - reportedAt >= REPORT_EVERY_MS) {
      isReported = true;
      reportedAt = at;
      const { reason, status } = failure;
      report(entry("degraded", now(), { reason, status, position }));
    }
  }

  return {
    failed(failure, { position, since: first }) {
      since = failures === 0 && !isReported ? first : since;
      failures += 1;
      if (
        failure.kind !== "temporary" ||
        failures >= FAILURES_TO_REPORT ||
        failure.retryAfterMs >= LONG_WAIT_MS
      ) {
        last = { failure, position };
        remind();
      }
    },
    remind,
    worked(position) {
      if (isReported) {
        report(entry("recovered", now(), { failures, position }));
      }
      isReported = false;
      failures = 0;
      last = null;
    },
    degradedSince: () => (isReported ? since : null),
    resume(degradedSince) {
      isReported = degradedSince !== null;
      since = degradedSince ?? 0;
    },
  };
}
