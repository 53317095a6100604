import { type AuditDraft } from "../core/audit-entry.ts";
import { type SinkFault, type SinkName } from "./sink.ts";

/** A fault that passes by itself this soon is not worth an entry. */
const FAILURES_TO_TELL = 2;

/** A sink that comes and goes is told of once in this time: the entries are its work too. */
const TELL_EVERY_MS = 60_000;

const ENTRIES = {
  degraded: { action: "audit.sink_degraded", result: "failure" },
  recovered: { action: "audit.sink_recovered", result: "success" },
} as const satisfies Record<string, Pick<AuditDraft, "action" | "result">>;

export interface SinkHealth {
  /** It did not take entries, or has not since some time (unix milliseconds). */
  failed: (
    fault: Pick<SinkFault, "reason" | "kind" | "status">,
    at: { readonly position: number; readonly since: number },
  ) => void;
  worked: (position: number) => void;
}

/** Tells when a sink fails, once, and when it works again, once. */
export function createSinkHealth(
  sink: SinkName,
  deps: {
    tell: (draft: AuditDraft) => void;
    now: () => number;
  },
): SinkHealth {
  const { tell, now } = deps;
  let failures = 0;
  let since = 0;
  let told = false;
  let toldAt = Number.NEGATIVE_INFINITY;

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

  return {
    failed({ reason, kind, status }, { position, since: first }) {
      const at = now();
      since = failures === 0 ? first : since;
      failures += 1;
      const worth = kind !== "passing" || failures >= FAILURES_TO_TELL;
      if (!told && worth && Math.abs(at - toldAt) >= TELL_EVERY_MS) {
        told = true;
        toldAt = at;
        tell(entry("degraded", at, { reason, status, position }));
      }
    },
    worked(position) {
      if (told) {
        tell(entry("recovered", now(), { failures, position }));
      }
      told = false;
      failures = 0;
    },
  };
}
