import { created } from "../../audit/delivery-entries.ts";
import type { AuditDraft } from "../../audit/entry.ts";
import type { DeliveryQueue } from "../port.ts";
import { type Database, textBytes } from "./driver.ts";
import { type EventNameRow, eventNameOf } from "./event-rows.ts";
import type { Order } from "./order.ts";

/** Creates deliveries for stored events, inside the caller's transaction. */
export function createDeliveryAdder(
  db: Database,
  deps: {
    order: Order;
    append: (entry: AuditDraft) => void;
    becomesDue: (destination: string) => void;
  },
) {
  const { order, append, becomesDue } = deps;
  const eventWithout = db.prepare<[number, string], EventNameRow>(
    `SELECT source, ${textBytes("id")}, ${textBytes("type")} FROM event
     WHERE seq = ? AND NOT EXISTS (SELECT 1 FROM delivery WHERE event_seq = seq AND destination = ?)`,
  );
  const insert = db.prepare<[number, string, number, string | null, number]>(
    `INSERT INTO delivery (event_seq, destination, state, attempt, leased, due_at, order_key, pending_since)
     VALUES (?, ?, 'pending', 0, 0, ?, ?, ?)`,
  );

  return ({
    deliveries,
    now,
    operator,
  }: Parameters<DeliveryQueue["addDeliveries"]>[0]): boolean[] =>
    deliveries.map(({ eventSeq, destination, orderKey }) => {
      const row = eventWithout.get(eventSeq, destination);
      if (row === undefined) {
        return false;
      }
      const { lastInsertRowid: id } = insert.run(
        eventSeq,
        destination,
        order.dueAt({ id: 0, destination, orderKey }, now),
        orderKey,
        now,
      );
      becomesDue(destination);
      const event = eventNameOf(row);
      append(created({ id, destination, event }, operator, now));
      return true;
    });
}
