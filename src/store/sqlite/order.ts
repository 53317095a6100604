import type { Database } from "./driver.ts";

/** When a delivery is due that waits for another of its key. */
export const AFTER_ANOTHER = Number.MAX_SAFE_INTEGER;

/**
 * Deliveries of one destination and key go one after another: of the pending ones at most one has a time, and when it
 * comes to its end, that of the oldest event among the others gets one.
 */
export function createOrder(db: Database) {
  const active = db.prepare<[string, string, number]>(
    `SELECT 1 FROM delivery
     WHERE destination = ? AND order_key = ? AND state = 'pending' AND due_at < ${AFTER_ANOTHER} AND id <> ?`,
  );
  const advance = db.prepare<[number, string, string]>(
    `UPDATE delivery SET due_at = min(due_at, ?) WHERE id = (
       SELECT id FROM delivery WHERE destination = ? AND order_key = ? AND state = 'pending'
       ORDER BY event_seq LIMIT 1)`,
  );
  return {
    /** When a delivery may go that would be due at `dueAt`. `id`: its own, 0 when it has none yet. */
    dueAt(
      delivery: { id: number; destination: string; orderKey: string | null },
      dueAt: number,
    ): number {
      const { id, destination, orderKey } = delivery;
      return orderKey !== null &&
        active.get(destination, orderKey, id) !== undefined
        ? AFTER_ANOTHER
        : dueAt;
    },
    /** A delivery has come to its end: the next of its key is due. */
    advance(destination: string, orderKey: string | null, now: number): void {
      if (orderKey !== null) {
        advance.run(now, destination, orderKey);
      }
    },
  };
}

export type Order = ReturnType<typeof createOrder>;
