import { lostEntry, redelivered } from "../../audit/delivery-entries.ts";
import { redeliveryProblem } from "../found-delivery.ts";
import type { DeliveryQueue } from "../port.ts";
import type { RedeliveryOutcome } from "../records.ts";
import { insertAttempts } from "./attempts.ts";
import { type DeliveryRow, findDeliveries } from "./delivery-rows.ts";
import type { Tx } from "./lane.ts";
import { lostOutcome } from "./lost-attempts.ts";
import { readDueTimes } from "./order.ts";
import { columnsOf, type Statement } from "./sql.ts";

const REDELIVER: Statement = {
  name: "redeliver",
  text: `
    WITH job AS (SELECT * FROM unnest($1::bigint[], $2::bigint[]) AS job (id, due_at)),
    kept AS (
      UPDATE pending_delivery one
      SET due_at = job.due_at, pending_since = $3, leased_by = NULL, uncounted = attempt, crashes = 0
      FROM job WHERE one.id = job.id),
    moved AS (
      DELETE FROM ended_delivery one USING job WHERE one.id = job.id RETURNING one.*, job.due_at)
    INSERT INTO pending_delivery
      (id, day, event_seq, destination, attempt, due_at, uncounted, crashes, claimed_at, order_key, pending_since)
    SELECT id, day, event_seq, destination, attempt, due_at, attempt, 0, claimed_at, order_key, $3 FROM moved`,
};

/** Makes deliveries due again, inside the caller's transaction. */
export async function redeliver(
  tx: Tx,
  {
    deliveryIds,
    now,
    operator,
    destinations,
  }: Parameters<DeliveryQueue["redeliver"]>[0],
): Promise<RedeliveryOutcome[]> {
  const found = await findDeliveries(tx, deliveryIds, now);
  const dueTimes = await readDueTimes(tx, [...found.values()]);
  const lost: DeliveryRow[] = [];
  const dueAt = new Map<number, number>();
  const outcomes = deliveryIds.map((id): RedeliveryOutcome => {
    const delivery = found.get(id);
    if (delivery === undefined) {
      return "unknown";
    }
    const problem = redeliveryProblem(delivery, destinations);
    if (problem !== null) {
      return problem;
    }
    if (delivery.lease === "lost") {
      lost.push(delivery);
      const crashes = delivery.crashes + 1;
      const attempt = { ...delivery, crashes };
      tx.append(lostEntry({ lost: attempt, next: null, at: now }));
    }
    const due = dueTimes.of(delivery, now);
    dueAt.set(id, due);
    // The request may name a delivery twice.
    found.set(id, { ...delivery, state: "pending", lease: "none", dueAt: due });
    tx.becomesDue(delivery.destination);
    tx.append(redelivered(delivery, operator, now));
    return "redelivered";
  });
  await insertAttempts(tx, lost.map(lostOutcome));
  if (dueAt.size > 0) {
    await tx.execute(REDELIVER, [...columnsOf([...dueAt]), now]);
  }
  return outcomes;
}
