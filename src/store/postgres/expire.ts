import {
  lostEntry,
  TOO_OLD,
  tooOldEntry,
} from "../../audit/delivery-entries.ts";
import { attemptFacts } from "../../domain/delivery.ts";
import { MAX_EXPIRED } from "../limits.ts";
import type { ExpireRequest } from "../records.ts";
import { insertAttempts } from "./attempts.ts";
import { endDeliveries } from "./end-deliveries.ts";
import { EVENT_NAME, type EventNameRow, eventNameOf } from "./event-names.ts";
import type { Tx } from "./lane.ts";
import { lostOutcome } from "./lost-attempts.ts";
import { advance } from "./order.ts";
import type { Sql, Statement } from "./sql.ts";

interface OldRow extends EventNameRow {
  readonly id: number;
  readonly day: number;
  readonly attempt: number;
  readonly crashes: number;
  readonly isLeased: boolean;
  readonly claimedAt: number | null;
  readonly pendingSince: number;
  readonly orderKey: Buffer | null;
}

// A leased delivery has an attempt in flight, unless its lease has ended.
const OLD: Statement = {
  name: "old_deliveries",
  text: `
    SELECT one.id, one.day, attempt, crashes, leased_by IS NOT NULL AS "isLeased", claimed_at AS "claimedAt",
      pending_since AS "pendingSince", order_key AS "orderKey", ${EVENT_NAME}
    FROM pending_delivery one JOIN event ON event.seq = event_seq AND event.day = one.day
    WHERE destination = $1 AND pending_since < $2 AND (leased_by IS NULL OR due_at <= $3) AND one.id <> ALL ($4::bigint[])
    ORDER BY pending_since, one.id LIMIT ${MAX_EXPIRED} FOR UPDATE OF one SKIP LOCKED`,
};

const ANY_OLD: Statement = {
  name: "any_old_delivery",
  text: `
    SELECT 1 FROM pending_delivery
    WHERE destination = $1 AND pending_since < $2 AND (leased_by IS NULL OR due_at <= $3) AND id <> ALL ($4::bigint[])
    LIMIT 1`,
};

function columns(request: ExpireRequest): unknown[] {
  const { destination, pendingBefore, now, holding } = request;
  return [destination, pendingBefore, now, [...holding]];
}

/** Whether a step would exhaust a delivery. It is cheap, and most steps would exhaust none. */
export async function isAnyTooOld(
  sql: Sql,
  request: ExpireRequest,
): Promise<boolean> {
  return (await sql.query(ANY_OLD, columns(request))).length > 0;
}

/** Exhausts deliveries that have been pending for too long, inside the caller's transaction. Returns how many. */
export async function expire(tx: Tx, request: ExpireRequest): Promise<number> {
  const { destination, now } = request;
  const rows = await tx.query<OldRow>(OLD, columns(request));
  for (const row of rows) {
    const { id, attempt, pendingSince } = row;
    const event = eventNameOf(row);
    if (row.isLeased) {
      const crashes = row.crashes + 1;
      const lost = { id, destination, attempt, event, crashes };
      tx.append(lostEntry({ lost, next: null, at: now }));
    }
    tx.append(
      tooOldEntry({ id, destination, attempt, event, pendingSince }, now),
    );
    const failure = { reason: TOO_OLD };
    tx.exhausted({ ...attemptFacts({ event, destination, attempt }), failure });
  }
  const lost = rows.filter(({ isLeased }) => isLeased);
  await insertAttempts(tx, lost.map(lostOutcome));
  await endDeliveries(
    tx,
    rows.map(({ id }) => id),
    "exhausted",
  );
  await advance(
    tx,
    rows.map(({ orderKey }) => ({ destination, orderKey, now })),
  );
  return rows.length;
}
