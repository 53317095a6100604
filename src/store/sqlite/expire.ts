import { TOO_OLD, tooOldEntry } from "../../audit/delivery-entries.ts";
import type { AuditDraft } from "../../audit/entry.ts";
import { attemptFacts, type FailedAttempt } from "../../domain/delivery.ts";
import type { ExpireRequest } from "../records.ts";
import { type Database, textBytes } from "./driver.ts";
import { eventNameOf } from "./event-rows.ts";
import type { RecordLostAttempt } from "./lost-attempts.ts";
import { AFTER_ANOTHER, MAX_EXPIRED } from "../limits.ts";
import type { Order } from "./order.ts";

interface OldRow {
  readonly id: number;
  readonly attempt: number;
  readonly crashes: number;
  readonly leased: number;
  readonly claimed_at: number | null;
  readonly pending_since: number;
  readonly order_key: string | null;
  readonly source: string;
  readonly event_id: Uint8Array;
  readonly type: Uint8Array;
}

/** Exhausts deliveries that have been pending for too long, inside the caller's transaction. Returns how many. */
export function createExpirer(
  db: Database,
  deps: {
    order: Order;
    append: (entry: AuditDraft) => void;
    exhausted: (failed: FailedAttempt) => void;
    recordLostAttempt: RecordLostAttempt;
  },
): (request: ExpireRequest) => number {
  const { order, append, exhausted, recordLostAttempt } = deps;
  // A leased delivery has an attempt in flight, unless its lease has ended.
  const old = db.prepare<[string, number, number, number], OldRow>(
    `SELECT delivery.id, attempt, crashes, leased, claimed_at, pending_since, order_key, source,
       CAST(event.id AS BLOB) AS event_id, ${textBytes("type")}
     FROM delivery JOIN event ON event.seq = event_seq
     WHERE destination = ? AND state = 'pending' AND pending_since < ? AND (leased = 0 OR due_at <= ?)
     ORDER BY pending_since LIMIT ?`,
  );
  // Returns the current `due_at`: an earlier delivery of this step may have advanced this one.
  const exhaust = db.prepare<[number], { due_at: number }>(
    "UPDATE delivery SET state = 'exhausted', leased = 0 WHERE id = ? RETURNING due_at",
  );

  function end(row: OldRow, { destination, now }: ExpireRequest): void {
    const { id, attempt } = row;
    const event = eventNameOf({ ...row, id: row.event_id });
    if (row.leased === 1) {
      recordLostAttempt(
        { id, destination, attempt, event, crashes: row.crashes + 1 },
        { startedAt: row.claimed_at, next: null, at: now },
      );
    }
    const pendingSince = row.pending_since;
    append(tooOldEntry({ id, destination, attempt, event, pendingSince }, now));
    exhausted({
      ...attemptFacts({ event, destination, attempt }),
      failure: { reason: TOO_OLD },
    });
    // A delivery that waited for another of its order key does not advance the key.
    if (exhaust.get(id)?.due_at !== AFTER_ANOTHER) {
      order.advance(destination, row.order_key, now);
    }
  }

  return (request) => {
    const { destination, now, pendingBefore, holding } = request;
    const limit = MAX_EXPIRED + holding.size;
    const rows = old
      .all(destination, pendingBefore, now, limit)
      .filter(({ id }) => !holding.has(id))
      .slice(0, MAX_EXPIRED);
    for (const row of rows) {
      end(row, request);
    }
    return rows.length;
  };
}
