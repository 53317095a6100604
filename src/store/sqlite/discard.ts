import type { DiscardOutcome } from "../records.ts";
import { discarded } from "../../audit/delivery-entries.ts";
import type { AuditDraft } from "../../audit/entry.ts";
import type { DeliveryQueue } from "../port.ts";
import type { DeliveryRows } from "./delivery-rows.ts";
import type { Database } from "./driver.ts";
import { advancesOnDiscard, discardProblem } from "../found-delivery.ts";
import type { Order } from "./order.ts";

/** Discards pending and exhausted deliveries, inside the caller's transaction. */
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
      const { destination, lease, orderKey } = found;
      const problem = discardProblem(found);
      if (problem !== null) {
        return problem;
      }
      if (lease === "lost") {
        rows.recordLostAttempt(found, now);
      }
      discard.run(id);
      if (advancesOnDiscard(found)) {
        order.advance(destination, orderKey, now);
        becomesDue(destination);
      }
      append(discarded(found, operator, now));
      return "discarded";
    });
}
