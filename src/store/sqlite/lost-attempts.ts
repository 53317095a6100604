import { lostEntry } from "../../audit/delivery-entries.ts";
import type { AuditDraft } from "../../audit/entry.ts";
import type { DeliveryState, LostAttempt } from "../../domain/delivery.ts";
import { createAttemptLog } from "./attempts.ts";
import type { Database } from "./driver.ts";

export type RecordLostAttempt = (
  lost: LostAttempt,
  facts: {
    startedAt: number | null;
    /** The state of the delivery after the attempt; null = a separate audit entry records the state. */
    next: DeliveryState | null;
    at: number;
  },
) => void;

/**
 * Returns a function that records a lost attempt with its audit entry, inside the caller's transaction. The caller ends the
 * lease.
 */
export function createLostAttempts(
  db: Database,
  append: (entry: AuditDraft) => void,
): RecordLostAttempt {
  const attempts = createAttemptLog(db);
  return (lost, { startedAt, next, at }) => {
    attempts.insert(lost.id, lost.attempt, {
      startedAt,
      endedAt: null,
      result: { ok: false, reason: "process_died" },
    });
    append(lostEntry({ lost, next, at }));
  };
}
