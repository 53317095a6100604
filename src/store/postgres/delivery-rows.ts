import type { DeliveryStateName } from "../../domain/delivery.ts";
import { type FoundDelivery, leaseOf } from "../found-delivery.ts";
import { IS_STORED } from "./expired-days.ts";
import { EVENT_NAME, type EventNameRow, eventNameOf } from "./event-names.ts";
import type { Sql, Statement } from "./sql.ts";

/** The current state of a delivery that an operator's request names. */
export interface DeliveryRow extends FoundDelivery {
  /** The day of its event. */
  readonly day: number;
  readonly orderKey: Buffer | null;
}

// Ordered, so that two processes do not lock the same rows in different orders.
const PENDING: Statement = {
  name: "find_pending",
  text: `
    SELECT one.id, one.day, destination, 'pending' AS state, attempt, crashes, leased_by IS NOT NULL AS "isLeased",
      claimed_at AS "claimedAt", due_at AS "dueAt", order_key AS "orderKey", ${EVENT_NAME}
    FROM pending_delivery one JOIN event ON event.seq = event_seq AND event.day = one.day
    WHERE one.id = ANY ($1::bigint[]) ORDER BY one.id FOR UPDATE OF one`,
};
const ENDED: Statement = {
  name: "find_ended",
  text: `
    SELECT one.id, one.day, destination, state, attempt, crashes, false AS "isLeased", claimed_at AS "claimedAt", 0 AS "dueAt",
      order_key AS "orderKey", ${EVENT_NAME}
    FROM ended_delivery one JOIN event ON event.seq = event_seq AND event.day = one.day
    WHERE one.id = ANY ($1::bigint[]) AND one.${IS_STORED} ORDER BY one.id FOR UPDATE OF one`,
};

interface Row extends EventNameRow {
  readonly id: number;
  readonly day: number;
  readonly destination: string;
  readonly state: DeliveryStateName;
  readonly attempt: number;
  readonly crashes: number;
  readonly isLeased: boolean;
  readonly claimedAt: number | null;
  readonly dueAt: number;
  readonly orderKey: Buffer | null;
}

/** Reads deliveries for an operator's request, and locks them until the end of the caller's transaction. */
export async function findDeliveries(
  sql: Sql,
  ids: readonly number[],
  now: number,
): Promise<Map<number, DeliveryRow>> {
  const found = new Map<number, DeliveryRow>();
  // Another process may move a delivery between the tables meanwhile, in both directions.
  for (const statement of [PENDING, ENDED, PENDING]) {
    const missing = ids.filter((id) => !found.has(id));
    if (missing.length > 0) {
      for (const row of await sql.query<Row>(statement, [missing])) {
        found.set(row.id, deliveryRow(row, now));
      }
    }
  }
  return found;
}

function deliveryRow(row: Row, now: number): DeliveryRow {
  const { source, eventId, type, isLeased, ...same } = row;
  return {
    ...same,
    lease: leaseOf({ isLeased, dueAt: row.dueAt }, now),
    event: eventNameOf({ source, eventId, type }),
  };
}
