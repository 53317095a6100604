import type { AuditDraft } from "../audit/entry.ts";
import type { StoreError } from "../errors.ts";

/**
 * Counts consecutive failed transactions. The next transaction that succeeds reports them with `store.failed`. Every driver
 * uses it.
 */
export interface Outage {
  readonly failed: (error: StoreError) => void;
  /** Returns the entry that the next transaction must write; null = there is nothing to report. */
  readonly entry: () => AuditDraft | null;
  /** The caller must call this when the transaction with that entry has committed. */
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
