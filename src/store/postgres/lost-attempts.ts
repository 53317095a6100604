import { lostEntry } from "../../audit/delivery-entries.ts";
import {
  attemptFacts,
  type DeliveryState,
  type LostAttempt,
} from "../../domain/delivery.ts";
import { afterLostAttempt } from "../../domain/lost-attempt.ts";
import type { ClaimRequest } from "../records.ts";
import { type AttemptOutcome, insertAttempts } from "./attempts.ts";
import { endDeliveries } from "./end-deliveries.ts";
import { EVENT_NAME, type EventNameRow, eventNameOf } from "./event-names.ts";
import type { Tx } from "./lane.ts";
import { advance } from "./order.ts";
import type { Statement } from "./sql.ts";

/** The maximum number of lost attempts that one claim records: a few milliseconds. */
const STEP = 100;

const LOST: Statement = {
  name: "lost_attempts",
  text: `
    SELECT one.id, one.day, attempt, crashes, claimed_at AS "claimedAt", order_key AS "orderKey", ${EVENT_NAME}
    FROM pending_delivery one JOIN event ON event.seq = event_seq AND event.day = one.day
    WHERE destination = $1 AND leased_by IS NOT NULL AND due_at <= $2 AND one.id <> ALL ($3::bigint[])
    ORDER BY due_at, one.id LIMIT ${STEP} FOR UPDATE OF one SKIP LOCKED`,
};

// The due time stays the end of the lease, so that a claim takes these deliveries in the order of all due times.
const LOSE: Statement = {
  name: "lose_attempts",
  text: `
    UPDATE pending_delivery SET leased_by = NULL, crashes = crashes + 1, uncounted = uncounted + 1
    WHERE id = ANY ($1::bigint[])`,
};

interface LostRow extends EventNameRow {
  readonly id: number;
  readonly day: number;
  readonly attempt: number;
  readonly crashes: number;
  readonly claimedAt: number | null;
  readonly orderKey: Buffer | null;
}

/** Returns the outcome of a lost attempt, for the table of attempts. */
export function lostOutcome(
  lost: Pick<LostRow, "id" | "day" | "attempt" | "claimedAt">,
): AttemptOutcome {
  return {
    deliveryId: lost.id,
    day: lost.day,
    attempt: lost.attempt,
    startedAt: lost.claimedAt,
    endedAt: null,
    result: { ok: false, reason: "process_died" },
  };
}

/**
 * Ends the leases of a destination that are over, and records their lost attempts. A delivery that was lost too often is
 * exhausted. Returns the deliveries that are still pending, with their numbers of crashes.
 */
export async function loseAttempts(
  tx: Tx,
  request: Pick<ClaimRequest, "destination" | "now" | "holding" | "kind">,
): Promise<{ id: number; crashes: number }[]> {
  const { destination, now, holding, kind } = request;
  const rows = await tx.query<LostRow>(LOST, [destination, now, [...holding]]);
  if (rows.length === 0) {
    return [];
  }
  const pending: { id: number; crashes: number }[] = [];
  const exhausted: LostRow[] = [];
  for (const row of rows) {
    const { id, attempt } = row;
    const crashes = row.crashes + 1;
    const event = eventNameOf(row);
    const lost: LostAttempt = { id, destination, attempt, crashes, event };
    const next: DeliveryState = afterLostAttempt({ kind, crashes, now });
    tx.append(lostEntry({ lost, next, at: now }));
    if (next.state === "pending") {
      pending.push({ id, crashes });
    } else {
      exhausted.push(row);
      const failure = { reason: "process_died" };
      tx.exhausted({ ...attemptFacts(lost), failure });
    }
  }
  await insertAttempts(tx, rows.map(lostOutcome));
  await tx.execute(LOSE, [rows.map(({ id }) => id)]);
  await endDeliveries(
    tx,
    exhausted.map(({ id }) => id),
    "exhausted",
  );
  await advance(
    tx,
    exhausted.map(({ orderKey }) => ({ destination, orderKey, now })),
  );
  return pending;
}
