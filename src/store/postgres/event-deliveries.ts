import type { DeliveryStatus } from "../../domain/delivery.ts";
import { deliveryStatus, type StoredDelivery } from "../event-scan.ts";
import type { Sql } from "./sql.ts";

/** Without a name, so that the planner sees the day and skips the other partitions. */
const OF_EVENTS = {
  name: "",
  text: `
SELECT event_seq AS "eventSeq", id, destination, 'pending' AS state, attempt, leased_by IS NOT NULL AS leased, due_at AS "dueAt"
FROM pending_delivery WHERE event_seq = ANY ($2)
UNION ALL
SELECT event_seq, id, destination, state, attempt, false, 0
FROM ended_delivery WHERE day = $1 AND event_seq = ANY ($2)
ORDER BY id`,
};

/** Returns the deliveries of some events of one day. `now`: unix milliseconds, by the clock of due times. */
export async function readDeliveries(
  sql: Sql,
  day: number,
  seqs: readonly number[],
  now: number,
): Promise<ReadonlyMap<number, readonly DeliveryStatus[]>> {
  const found = new Map<number, DeliveryStatus[]>();
  if (seqs.length > 0) {
    const rows = await sql.query<StoredDelivery & { eventSeq: number }>(
      OF_EVENTS,
      [day, seqs],
    );
    for (const { eventSeq, ...delivery } of rows) {
      const deliveries = found.get(eventSeq) ?? [];
      found.set(eventSeq, deliveries);
      deliveries.push(deliveryStatus(delivery, now));
    }
  }
  return found;
}
