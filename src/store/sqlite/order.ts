import { AFTER_ANOTHER } from "../limits.ts";
import type { Database } from "./driver.ts";

/**
 * Keeps the order of deliveries with the same destination and order key. At most one pending delivery of a key has a due
 * time. When it is no longer pending, the pending delivery with the oldest event gets a due time.
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
    /**
     * Returns the due time of a delivery: `dueAt`, or AFTER_ANOTHER if it must wait. `id` is 0 if the delivery is not stored
     * yet.
     */
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
    /** Makes the next delivery of a key due, after one of them is no longer pending. */
    advance(destination: string, orderKey: string | null, now: number): void {
      if (orderKey !== null) {
        advance.run(now, destination, orderKey);
      }
    },
  };
}

export type Order = ReturnType<typeof createOrder>;
