import { actionOfLine, AUDIT_ACTIONS } from "../audit/entry.ts";
import { createKeyUses, type KeyUses } from "../status/key-uses.ts";
import { createRecentRequests } from "../status/recent-requests.ts";
import type { RecentRequests } from "../store/records.ts";
import type { Happening } from "../telemetry/happening.ts";
import { createMetrics, type Metrics } from "../telemetry/metrics/metrics.ts";

/** What the process counts, times and remembers about its happenings. */
export interface Measuring {
  /** Subscribes to telemetry. */
  readonly observe: (happening: Happening) => void;
  readonly metrics: Metrics;
  readonly keyUses: KeyUses;
  readonly lastMinute: () => RecentRequests;
  /** Whether the retention of the trail has found a changed entry. */
  readonly isChangeFound: () => boolean;
}

export function createMeasuring(deps: {
  readonly version: string;
  readonly now: () => number;
  readonly monotonic: () => number;
}): Measuring {
  const metrics = createMetrics({
    version: deps.version,
    actions: { all: AUDIT_ACTIONS, ofLine: actionOfLine },
  });
  const keyUses = createKeyUses(deps);
  const recent = createRecentRequests(deps);
  let isChangeFound = false;

  return {
    observe(happening) {
      metrics.observe(happening);
      recent.subscriber(happening);
      if (happening.type === "request.responded") {
        const { source, outcome, keyId } = happening;
        if (outcome === "accepted" && source !== null && keyId !== undefined) {
          keyUses.note(source, keyId);
        }
      } else if (happening.type === "audit.changed") {
        isChangeFound = true;
      }
    },
    metrics,
    keyUses,
    lastMinute: recent.lastMinute,
    isChangeFound: () => isChangeFound,
  };
}
