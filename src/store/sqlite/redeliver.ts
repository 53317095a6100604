import type { RedeliveryOutcome } from "../records.ts";
import { redelivered } from "../../audit/delivery-entries.ts";
import type { AuditDraft } from "../../audit/entry.ts";
import type { DeliveryQueue } from "../port.ts";
import type { DeliveryRows } from "./delivery-rows.ts";
import type { Database } from "./driver.ts";
import { redeliveryProblem } from "../found-delivery.ts";
import type { Order } from "./order.ts";

/** Makes deliveries due again, inside the caller's transaction. */
export function createRedeliverer(
  db: Database,
  deps: {
    rows: DeliveryRows;
    order: Order;
    append: (entry: AuditDraft) => void;
    becomesDue: (destination: string) => void;
  },
) {
  const { rows, order, append, becomesDue } = deps;
  const makePending = db.prepare<[number, number, number]>(
    `UPDATE delivery SET state = 'pending', due_at = ?, pending_since = ?, leased = 0, uncounted = attempt, crashes = 0
     WHERE id = ?`,
  );

  return ({
    deliveryIds,
    now,
    operator,
    destinations,
  }: Parameters<DeliveryQueue["redeliver"]>[0]): RedeliveryOutcome[] =>
    deliveryIds.map((id) => {
      const found = rows.find(id, now);
      if (found === undefined) {
        return "unknown";
      }
      const { destination, lease, orderKey } = found;
      const problem = redeliveryProblem(found, destinations);
      if (problem !== null) {
        return problem;
      }
      if (lease === "lost") {
        rows.recordLostAttempt(found, now);
      }
      makePending.run(order.dueAt({ id, destination, orderKey }, now), now, id);
      becomesDue(destination);
      append(redelivered(found, operator, now));
      return "redelivered";
    });
}
