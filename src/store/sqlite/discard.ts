import type { DiscardOutcome } from "../records.ts";
import { discarded } from "../../audit/delivery-entries.ts";
import type { AuditDraft } from "../../audit/entry.ts";
import type { DeliveryQueue } from "../port.ts";
import type { DeliveryRows } from "./delivery-rows.ts";
import type { Database } from "./driver.ts";
import { AFTER_ANOTHER } from "../limits.ts";
import type { Order } from "./order.ts";

/**
 * Discards pending and exhausted deliveries, inside the caller's transaction. A delivery with an attempt in flight is
 * skipped, because the attempt may succeed and its result must be recorded.
 */
export function createDiscarder(
  db: Database,
  deps: {
    rows: DeliveryRows;
    order: Order;
    append: (entry: AuditDraft) => void;
    becomesDue: (destination: string) => void;
  },
) {
  const { rows, order, append, becomesDue } = deps;
  // A late result is dropped, because it needs the state `pending`.
  const discard = db.prepare<[number]>(
    "UPDATE delivery SET state = 'discarded', leased = 0 WHERE id = ?",
  );

  return ({
    deliveryIds,
    now,
    operator,
  }: Parameters<DeliveryQueue["discard"]>[0]): DiscardOutcome[] =>
    deliveryIds.map((id) => {
      const found = rows.find(id, now);
      if (found === undefined) {
        return "unknown";
      }
      const { destination, state, lease, orderKey } = found;
      if (state !== "pending" && state !== "exhausted") {
        return "ended";
      }
      if (lease === "in_flight") {
        return "in_flight";
      }
      if (lease === "lost") {
        rows.recordLostAttempt(found, now);
      }
      discard.run(id);
      // Only the first delivery of an order key advances the key. After another delivery, the first one may still be in
      // flight, and its lease must not end.
      if (state === "pending" && found.dueAt !== AFTER_ANOTHER) {
        order.advance(destination, orderKey, now);
        becomesDue(destination);
      }
      append(discarded(found, operator, now));
      return "discarded";
    });
}
