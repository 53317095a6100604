import { discarded, lostEntry } from "../../audit/delivery-entries.ts";
import { advancesOnDiscard, discardProblem } from "../found-delivery.ts";
import type { DeliveryQueue } from "../port.ts";
import type { DiscardOutcome } from "../records.ts";
import { insertAttempts } from "./attempts.ts";
import { type DeliveryRow, findDeliveries } from "./delivery-rows.ts";
import { endDeliveries } from "./end-deliveries.ts";
import type { Tx } from "./lane.ts";
import { lostOutcome } from "./lost-attempts.ts";
import { advance } from "./order.ts";
import type { Statement } from "./sql.ts";

const DISCARD_EXHAUSTED: Statement = {
  name: "discard_exhausted",
  text: `
    UPDATE ended_delivery SET state = 'discarded' WHERE id = ANY ($1::bigint[]) AND state = 'exhausted'`,
};

/** Discards pending and exhausted deliveries, inside the caller's transaction. */
export async function discard(
  tx: Tx,
  { deliveryIds, now, operator }: Parameters<DeliveryQueue["discard"]>[0],
): Promise<DiscardOutcome[]> {
  const found = await findDeliveries(tx, deliveryIds, now);
  const ended: DeliveryRow[] = [];
  const outcomes = deliveryIds.map((id): DiscardOutcome => {
    const delivery = found.get(id);
    if (delivery === undefined) {
      return "unknown";
    }
    const problem = discardProblem(delivery);
    if (problem !== null) {
      return problem;
    }
    ended.push(delivery);
    // The request may name a delivery twice.
    found.set(id, { ...delivery, state: "discarded" });
    if (delivery.lease === "lost") {
      const crashes = delivery.crashes + 1;
      const attempt = { ...delivery, crashes };
      tx.append(lostEntry({ lost: attempt, next: null, at: now }));
    }
    if (advancesOnDiscard(delivery)) {
      tx.becomesDue(delivery.destination);
    }
    tx.append(discarded(delivery, operator, now));
    return "discarded";
  });
  const lost = ended.filter(({ lease }) => lease === "lost");
  await insertAttempts(tx, lost.map(lostOutcome));
  await tx.execute(DISCARD_EXHAUSTED, [ended.map(({ id }) => id)]);
  await endDeliveries(
    tx,
    ended.map(({ id }) => id),
    "discarded",
  );
  await advance(
    tx,
    ended
      .filter(advancesOnDiscard)
      .map(({ destination, orderKey }) => ({ destination, orderKey, now })),
  );
  return outcomes;
}
