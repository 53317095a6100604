import type { AuditDraft } from "../audit/entry.ts";
import type { StoreError } from "../errors.ts";

/** A run of failed transactions, reported by `store.failed` in the first one that succeeds. Shared by all drivers. */
export interface Outage {
  readonly failed: (error: StoreError) => void;
  /** The entry to write with the next transaction; null when there is nothing to report. */
  readonly entry: () => AuditDraft | null;
  /** A transaction with that entry has committed. */
  readonly ended: () => void;
}

export function createOutage(now: () => number): Outage {
  let current: { code: string; since: number; failures: number } | null = null;
  return {
    failed({ code }) {
      current ??= { code, since: now(), failures: 0 };
      current.failures += 1;
    },
    entry() {
      if (current === null) {
        return null;
      }
      const { code, since, failures } = current;
      return {
        at: now(),
        action: "store.failed",
        userId: "system",
        resource: "store",
        result: "failure",
        metadata: { code, since: new Date(since).toISOString(), failures },
      };
    },
    ended() {
      current = null;
    },
  };
}
