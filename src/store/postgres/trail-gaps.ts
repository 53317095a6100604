import { setTimeout as delay } from "node:timers/promises";
import type { Sql } from "./sql.ts";

/*
 * Positions come from a sequence, and transactions of several processes commit in another order. So a reader that follows the
 * trail must not pass a missing position while its transaction may still commit. A transaction that has taken a position
 * holds a lock on the sequence until it ends, and it is visible to every snapshot that is taken after its lock is gone. The
 * transaction ids in snapshots are not enough: a running transaction can have a later id than the end of a snapshot.
 */

/** How long `settle` waits for the transactions that may still write a position, in milliseconds, and how often it looks. */
const WAIT_MS = 1000;
const LOOK_EVERY_MS = 10;

export interface TrailGaps {
  /**
   * Waits until no transaction can write a position up to this one any more. All positions up to it that a later read does
   * not find are missing permanently. `upTo` has been taken from the sequence before. Resolves to false if a transaction
   * takes too long.
   */
  readonly settle: (upTo: number) => Promise<boolean>;
}

/** For a reader whose reads all see the same snapshot: no entry can appear in it. */
export const NO_GAPS: TrailGaps = { settle: async () => true };

/** `holders`: returns the running transactions that may have taken positions. */
export function createTrailGaps(
  holders: () => Promise<ReadonlySet<string>>,
  options: { waitMs: number; lookEveryMs: number } = {
    waitMs: WAIT_MS,
    lookEveryMs: LOOK_EVERY_MS,
  },
): TrailGaps {
  let settled = 0;

  return {
    async settle(upTo) {
      if (upTo <= settled) {
        return true;
      }
      const end = performance.now() + options.waitMs;
      // Later transactions take later positions, so only these matter.
      let running: ReadonlySet<string> = await holders();
      while (running.size > 0 && performance.now() < end) {
        await delay(options.lookEveryMs);
        const now = await holders();
        running = new Set([...running].filter((id) => now.has(id)));
      }
      if (running.size > 0) {
        return false;
      }
      settled = Math.max(settled, upTo);
      return true;
    },
  };
}

// A transaction that only reads the sequence has another lock. A backup by pg_dump keeps that for hours.
const HOLDERS = {
  name: "position-holders",
  text: `
SELECT virtualtransaction AS id FROM pg_locks
WHERE locktype = 'relation' AND relation = 'audit_position'::regclass AND mode = 'RowExclusiveLock'
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
};

/** Returns the transactions that hold the lock of the sequence. */
export async function positionHolders(sql: Sql): Promise<Set<string>> {
  const rows = await sql.query<{ id: string }>(HOLDERS);
  return new Set(rows.map(({ id }) => id));
}
