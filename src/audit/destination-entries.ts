import { type AuditDraft, clipText } from "./entry.ts";

type Change = Pick<AuditDraft, "action" | "userId" | "at" | "metadata">;

/** Returns the audit entry for a destination that an operator paused or resumed. */
export function pauseChanged(change: {
  destination: string;
  operator: string;
  paused: boolean;
  at: number;
}): AuditDraft {
  const { destination, operator, paused, at } = change;
  return entryOf(destination, {
    at,
    action: paused ? "destination.paused" : "destination.resumed",
    userId: `operator:${operator}`,
    metadata: {},
  });
}

/** Returns the audit entry for a destination that requested a pause with `Retry-After`. */
export function pausedByRetryAfter(pause: {
  destination: string;
  /** The status of its response. */
  status: number;
  at: number;
  until: number;
}): AuditDraft {
  const { destination, status, at, until } = pause;
  return entryOf(destination, {
    at,
    action: "destination.paused",
    userId: "system",
    metadata: {
      reason: "retry_after",
      status,
      until: new Date(until).toISOString(),
    },
  });
}

/** Returns the audit entry for the end of a pause that a destination requested. */
export function resumedByTime(destination: string, at: number): AuditDraft {
  return entryOf(destination, {
    at,
    action: "destination.resumed",
    userId: "system",
    metadata: { reason: "pause_ended" },
  });
}

function entryOf(destination: string, change: Change): AuditDraft {
  return {
    ...change,
    resource: clipText(`/destinations/${destination}`),
    result: "success",
  };
}
