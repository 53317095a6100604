import { created } from "../../audit/delivery-entries.ts";
import type { DeliveryQueue } from "../port.ts";
import type { AddedDelivery } from "../records.ts";
import { IS_STORED } from "./expired-days.ts";
import { EVENT_NAME, type EventNameRow, eventNameOf } from "./event-names.ts";
import type { Tx } from "./lane.ts";
import { readDueTimes } from "./order.ts";
import { columnsOf, type Statement } from "./sql.ts";

interface EventRow extends EventNameRow {
  readonly seq: number;
  readonly day: number;
}

// Locked, so that no other process creates the same delivery meanwhile.
const EVENTS: Statement = {
  name: "events_to_deliver",
  text: `
    SELECT seq, day, ${EVENT_NAME} FROM event
    WHERE seq = ANY ($1::bigint[]) AND ${IS_STORED} ORDER BY seq FOR NO KEY UPDATE`,
};
const EXISTING: Statement = {
  name: "deliveries_of_events",
  text: `
    SELECT one.event_seq AS "eventSeq", one.destination
    FROM unnest($1::bigint[], $2::integer[]) AS event (seq, day)
      JOIN delivery one ON one.event_seq = event.seq AND one.day = event.day`,
};
const INSERT: Statement = {
  name: "add_deliveries",
  text: `
    INSERT INTO pending_delivery (id, day, event_seq, destination, due_at, order_key, pending_since)
    SELECT nextval('delivery_id'), day, event_seq, destination, due_at, order_key, $6
    FROM (
      SELECT * FROM unnest($1::integer[], $2::bigint[], $3::text[], $4::bigint[], $5::bytea[]) WITH ORDINALITY
        AS job (day, event_seq, destination, due_at, order_key, place)
      ORDER BY place) AS job
    RETURNING id, event_seq AS "eventSeq", destination`,
};

type Pair = Pick<AddedDelivery, "eventSeq" | "destination">;

const pairKey = ({ eventSeq, destination }: Pair): string =>
  `${eventSeq} ${destination}`;

/** Creates deliveries for stored events, inside the caller's transaction. Returns whether each was created. */
export async function addDeliveries(
  tx: Tx,
  { deliveries, now, operator }: Parameters<DeliveryQueue["addDeliveries"]>[0],
): Promise<boolean[]> {
  const seqs = deliveries.map(({ eventSeq }) => eventSeq);
  const rows = await tx.query<EventRow>(EVENTS, [seqs]);
  const events = new Map(rows.map((event) => [event.seq, event]));
  if (rows.length === 0) {
    return deliveries.map(() => false);
  }
  const existing = await tx.query<Pair>(
    EXISTING,
    columnsOf(rows.map(({ seq, day }) => [seq, day])),
  );
  const known = new Set(existing.map(pairKey));
  const asBytes = deliveries.map((delivery) => {
    const { orderKey } = delivery;
    return {
      ...delivery,
      orderKey: orderKey === null ? null : Buffer.from(orderKey),
    };
  });
  const dueTimes = await readDueTimes(tx, asBytes);
  const added: unknown[][] = [];
  const outcomes = asBytes.map((delivery) => {
    const { eventSeq, destination, orderKey } = delivery;
    const key = pairKey(delivery);
    const event = events.get(eventSeq);
    if (event === undefined || known.has(key)) {
      return false;
    }
    known.add(key);
    const dueAt = dueTimes.of({ id: key, destination, orderKey }, now);
    added.push([event.day, eventSeq, destination, dueAt, orderKey]);
    return true;
  });
  if (added.length > 0) {
    const inserted = await tx.query<Pair & { id: number }>(INSERT, [
      ...columnsOf(added),
      now,
    ]);
    for (const { id, eventSeq, destination } of inserted.sort(
      (a, b) => a.id - b.id,
    )) {
      const row = events.get(eventSeq);
      if (row !== undefined) {
        tx.becomesDue(destination);
        const event = eventNameOf(row);
        tx.append(created({ id, destination, event }, operator, now));
      }
    }
  }
  return outcomes;
}
