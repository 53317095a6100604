import type { RedeliveryOutcome } from "../records.ts";
import type { DeliveryState } from "../../domain/delivery.ts";
import { redelivered } from "../../audit/delivery-entries.ts";
import type { AuditDraft } from "../../audit/entry.ts";
import type { DeliveryQueue } from "../port.ts";
import { createAttemptLog } from "./attempts.ts";
import { asText, type Database, textBytes } from "./driver.ts";
import { AFTER_ANOTHER, type Order } from "./order.ts";

interface Row {
  readonly destination: string;
  readonly state: DeliveryState["state"];
  readonly attempt: number;
  readonly leased: number;
  readonly claimed_at: number | null;
  readonly due_at: number;
  readonly order_key: string | null;
  readonly source: string;
  readonly event_id: Uint8Array;
  readonly type: Uint8Array;
}

/** Makes deliveries due again, inside the caller's transaction. */
export function createRedeliverer(
  db: Database,
  deps: {
    order: Order;
    append: (entry: AuditDraft) => void;
    becomesDue: (destination: string) => void;
  },
) {
  const { order, append, becomesDue } = deps;
  const attempts = createAttemptLog(db);
  const select = db.prepare<[number], Row>(
    `SELECT destination, state, attempt, leased, claimed_at, due_at, order_key, source, CAST(event.id AS BLOB) AS event_id, ${textBytes("type")}
     FROM delivery JOIN event ON event.seq = event_seq WHERE delivery.id = ?`,
  );
  const again = db.prepare<[number, number]>(
    "UPDATE delivery SET state = 'pending', due_at = ?, leased = 0, uncounted = attempt, crashes = 0 WHERE id = ?",
  );

  return ({
    deliveryIds,
    now,
    operator,
  }: Parameters<DeliveryQueue["redeliver"]>[0]): RedeliveryOutcome[] =>
    deliveryIds.map((id) => {
      const row = select.get(id);
      if (row === undefined) {
        return "unknown";
      }
      const { destination, state, attempt, order_key } = row;
      const lost = row.leased === 1 && row.due_at <= now;
      if (
        state === "pending" &&
        ((row.leased === 1 && !lost) || row.due_at === AFTER_ANOTHER)
      ) {
        return "under_way";
      }
      if (lost) {
        attempts.insert(id, attempt, {
          startedAt: row.claimed_at,
          endedAt: null,
          result: { ok: false, reason: "process_died" },
        });
      }
      const dueAt = order.dueAt({ id, destination, orderKey: order_key }, now);
      again.run(dueAt, id);
      becomesDue(destination);
      append(
        redelivered(
          {
            id,
            destination,
            state,
            attempt,
            event: {
              source: row.source,
              id: asText(row.event_id),
              type: asText(row.type),
            },
          },
          operator,
          now,
        ),
      );
      return "redelivered";
    });
}
