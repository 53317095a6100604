import type { AuditDraft } from "../entry.ts";
import type { SinkFault, SinkName } from "./sink.ts";

/** A fault that passes by itself this soon is not worth an entry. */
const FAILURES_TO_TELL = 2;

/** A sink that asks to be left alone for so long takes none meanwhile, in milliseconds. */
const LONG_WAIT_MS = 30_000;

/** A sink that comes and goes is told of once in this time: the entries are its work too. */
const TELL_EVERY_MS = 60_000;

const ENTRIES = {
  degraded: { action: "audit.sink_degraded", result: "failure" },
  recovered: { action: "audit.sink_recovered", result: "success" },
} as const satisfies Record<string, Pick<AuditDraft, "action" | "result">>;

type Fault = Pick<SinkFault, "reason" | "kind" | "status" | "retryAfterMs">;

export interface SinkHealth {
  /** It did not take entries, or has not since some time (unix milliseconds). */
  readonly failed: (
    fault: Fault,
    at: { readonly position: number; readonly since: number },
  ) => void;
  /** Tells of a failure that goes on, if it was too soon to tell of it before. */
  readonly remind: () => void;
  readonly worked: (position: number) => void;
  /** Since when it takes no entries (unix milliseconds), as was told; null = it takes them. */
  readonly degradedSince: () => number | null;
  /** What was told in another process. */
  readonly resume: (degradedSince: number | null) => void;
}

/** Tells when a sink fails, once, and when it works again, once. */
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
  let told = false;
  let toldAt = Number.NEGATIVE_INFINITY;
  /** What is worth telling, if it is not told yet. */
  let last: { fault: Fault; position: number } | null = null;

  const entry = (
    what: keyof typeof ENTRIES,
    at: number,
    facts: object,
  ): AuditDraft => ({
    ...ENTRIES[what],
    at,
    userId: "system",
    resource: "audit",
    metadata: { sink, since: new Date(since).toISOString(), ...facts },
  });

  function remind(): void {
    const at = monotonic();
    if (told || last === null) {
      return;
    }
    const { fault, position } = last;
    // What never works again says so now or never.
    const isFinal = fault.kind === "final";
    if (isFinal || at - toldAt >= TELL_EVERY_MS) {
      told = true;
      toldAt = at;
      const { reason, status } = fault;
      report(entry("degraded", now(), { reason, status, position }));
    }
  }

  return {
    failed(fault, { position, since: first }) {
      since = failures === 0 && !told ? first : since;
      failures += 1;
      if (
        fault.kind !== "passing" ||
        failures >= FAILURES_TO_TELL ||
        fault.retryAfterMs >= LONG_WAIT_MS
      ) {
        last = { fault, position };
        remind();
      }
    },
    remind,
    worked(position) {
      if (told) {
        report(entry("recovered", now(), { failures, position }));
      }
      told = false;
      failures = 0;
      last = null;
    },
    degradedSince: () => (told ? since : null),
    resume(degradedSince) {
      told = degradedSince !== null;
      since = degradedSince ?? 0;
    },
  };
}
