import type {
  DeliveryFacts,
  DeliveryStateName,
} from "../../domain/delivery.ts";
import { createAttemptLog } from "./attempts.ts";
import { asText, type Database, textBytes } from "./driver.ts";

interface Row {
  readonly destination: string;
  readonly state: DeliveryStateName;
  readonly attempt: number;
  readonly leased: number;
  readonly claimed_at: number | null;
  readonly due_at: number;
  readonly order_key: string | null;
  readonly source: string;
  readonly event_id: Uint8Array;
  readonly type: Uint8Array;
}

/** A delivery as an operator's request finds it. */
export interface FoundDelivery extends DeliveryFacts {
  readonly orderKey: string | null;
  readonly dueAt: number;
  /** `lost`: its lease has ended, so the process of the attempt is dead. */
  readonly lease: "none" | "in_flight" | "lost";
  readonly claimedAt: number | null;
}

/** Deliveries that an operator's request changes, inside the caller's transaction. */
export function createDeliveryRows(db: Database) {
  const attempts = createAttemptLog(db);
  const select = db.prepare<[number], Row>(
    `SELECT destination, state, attempt, leased, claimed_at, due_at, order_key, source, CAST(event.id AS BLOB) AS event_id, ${textBytes("type")}
     FROM delivery JOIN event ON event.seq = event_seq WHERE delivery.id = ?`,
  );
  return {
    find(id: number, now: number): FoundDelivery | undefined {
      const row = select.get(id);
      if (row === undefined) {
        return undefined;
      }
      const { destination, state, attempt } = row;
      const lease =
        row.leased === 0 ? "none" : row.due_at > now ? "in_flight" : "lost";
      return {
        id,
        destination,
        state,
        attempt,
        orderKey: row.order_key,
        dueAt: row.due_at,
        lease,
        claimedAt: row.claimed_at,
        event: {
          source: row.source,
          id: asText(row.event_id),
          type: asText(row.type),
        },
      };
    },
    /** Records the attempt of a lost lease, which the caller ends. */
    noteLost({ id, attempt, claimedAt }: FoundDelivery): void {
      attempts.insert(id, attempt, {
        startedAt: claimedAt,
        endedAt: null,
        result: { ok: false, reason: "process_died" },
      });
    },
  };
}

export type DeliveryRows = ReturnType<typeof createDeliveryRows>;
