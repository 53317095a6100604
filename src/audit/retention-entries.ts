import type { ChainHead } from "./chain.ts";
import type { AuditDraft } from "./entry.ts";

/** What one step of the event retention deleted. */
export interface Purged {
  readonly events: number;
  readonly deliveries: number;
  readonly attempts: number;
}

/** What one step of the audit retention deleted. */
export interface AuditPurged {
  readonly entries: number;
  /** The last deleted entry of each writer. */
  readonly writers: readonly ChainHead[];
}

/** Returns the audit entry for deleted events. Times are unix milliseconds. */
export function eventsPurged(
  { events, deliveries, attempts }: Purged,
  facts: { at: number; receivedBefore: number },
): AuditDraft {
  const { at, receivedBefore } = facts;
  return {
    ...purged(at, "/events"),
    metadata: {
      events,
      deliveries,
      attempts,
      receivedBefore: new Date(receivedBefore).toISOString(),
    },
  };
}

/**
 * Returns the audit entry for deleted audit entries. It names the last deleted entry of each writer, so that the remaining
 * entries can be verified.
 */
export function entriesPurged(
  { entries, writers }: AuditPurged,
  facts: { at: number; before: number },
): AuditDraft {
  const { at, before } = facts;
  return {
    ...purged(at, "/audit"),
    metadata: { entries, writers, before: new Date(before).toISOString() },
  };
}

function purged(at: number, resource: string) {
  return {
    at,
    action: "retention.purged",
    userId: "system",
    resource,
    result: "success",
  } as const satisfies Partial<AuditDraft>;
}
