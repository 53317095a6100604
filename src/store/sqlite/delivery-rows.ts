import type { DeliveryStateName } from "../../domain/delivery.ts";
import { type FoundDelivery, leaseOf } from "../found-delivery.ts";
import { type Database, textBytes } from "./driver.ts";
import { eventNameOf } from "./event-rows.ts";
import type { RecordLostAttempt } from "./lost-attempts.ts";

interface Row {
  readonly destination: string;
  readonly state: DeliveryStateName;
  readonly attempt: number;
  readonly crashes: number;
  readonly leased: number;
  readonly claimed_at: number | null;
  readonly due_at: number;
  readonly order_key: string | null;
  readonly source: string;
  readonly id: Uint8Array;
  readonly type: Uint8Array;
}

interface FoundRow extends FoundDelivery {
  readonly orderKey: string | null;
}

/** Reads deliveries for an operator's request, and records their lost attempts, inside the caller's transaction. */
export function createDeliveryRows(
  db: Database,
  recordLostAttempt: RecordLostAttempt,
) {
  const select = db.prepare<[number], Row>(
    `SELECT destination, state, attempt, crashes, leased, claimed_at, due_at, order_key, source, CAST(event.id AS BLOB) AS id, ${textBytes("type")}
     FROM delivery JOIN event ON event.seq = event_seq WHERE delivery.id = ?`,
  );
  return {
    find(id: number, now: number): FoundRow | undefined {
      const row = select.get(id);
      if (row === undefined) {
        return undefined;
      }
      const { destination, state, attempt, crashes } = row;
      const dueAt = row.due_at;
      return {
        id,
        destination,
        state,
        attempt,
        orderKey: row.order_key,
        dueAt,
        lease: leaseOf({ isLeased: row.leased === 1, dueAt }, now),
        claimedAt: row.claimed_at,
        crashes,
        event: eventNameOf(row),
      };
    },
    /** Records the attempt of a lost lease. The caller ends the lease and writes the entry of the delivery's new state. */
    recordLostAttempt(found: FoundDelivery, now: number): void {
      recordLostAttempt(
        { ...found, crashes: found.crashes + 1 },
        { startedAt: found.claimedAt, next: null, at: now },
      );
    },
  };
}

export type DeliveryRows = ReturnType<typeof createDeliveryRows>;
