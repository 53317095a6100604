import { AFTER_ANOTHER } from "../limits.ts";
import type { ClaimRequest, DueTimeLimits } from "../records.ts";
import type { Sql, Statement } from "./sql.ts";

/* The reads and writes of deliveries that need no audit entry and so do not go through the lane. */

/** The maximum number of deliveries whose due times one statement examines: a few milliseconds. */
const LIMITS_STEP = 5000;

const RELEASE: Statement = {
  name: "release",
  text: `
    WITH released AS (
      UPDATE pending_delivery SET due_at = $3, leased_by = NULL, uncounted = uncounted + 1
      WHERE id = $1 AND attempt = $2 AND leased_by IS NOT NULL
      RETURNING day, id, attempt, claimed_at)
    INSERT INTO attempt (day, delivery_id, attempt, started_at, ended_at, ok, reason)
    SELECT day, id, attempt, claimed_at, $3, false, 'released' FROM released`,
};
const END_LEASES: Statement = {
  name: "end_leases",
  text: "UPDATE pending_delivery SET due_at = least(due_at, $1) WHERE leased_by IS NOT NULL",
};
const REPEAT_CRASH_DUE: Statement = {
  name: "repeat_crash_due",
  text: `
    SELECT 1 FROM pending_delivery
    WHERE destination = $1 AND due_at <= $2 AND (leased_by IS NULL OR due_at <= $3) AND crashes > 1 AND crashes > 0
    LIMIT 1`,
};
const NEXT_DUE_AT: Statement = {
  name: "next_due_at",
  text: `
    SELECT due_at AS "dueAt" FROM pending_delivery WHERE destination = $1 ORDER BY due_at LIMIT 1`,
};
const LIMIT_DUE_TIMES: Statement = {
  name: "limit_due_times",
  text: `
    WITH step AS MATERIALIZED (
      SELECT id, due_at,
        CASE WHEN leased_by IS NOT NULL THEN $6::bigint WHEN attempt = uncounted THEN $4::bigint ELSE $5::bigint END AS latest
      FROM pending_delivery
      WHERE destination = $1 AND due_at < ${AFTER_ANOTHER} AND (due_at, id) > ($2::bigint, $3::bigint)
      ORDER BY due_at, id LIMIT ${LIMITS_STEP}),
    limited AS (
      UPDATE pending_delivery one SET due_at = latest FROM step
      WHERE one.id = step.id AND one.due_at = step.due_at AND latest < step.due_at)
    SELECT id, due_at AS "dueAt" FROM step ORDER BY due_at DESC, id DESC LIMIT 1`,
};

/** Makes a claimed delivery due at once, without an outcome. Does nothing if the lease was lost. */
export async function release(
  sql: Sql,
  deliveryId: number,
  attempt: number,
  now: number,
): Promise<void> {
  await sql.execute(RELEASE, [deliveryId, attempt, now]);
}

/** Ends all leases. Only a process that starts while no other process runs may call this. */
export async function endLeases(sql: Sql, now: number): Promise<void> {
  await sql.execute(END_LEASES, [now]);
}

/** Whether a delivery is due during whose attempts the process has died at least twice. */
export async function isRepeatCrashDue(
  sql: Sql,
  request: Pick<ClaimRequest, "destination" | "now" | "dueUntil">,
): Promise<boolean> {
  const { destination, now, dueUntil } = request;
  const rows = await sql.query(REPEAT_CRASH_DUE, [destination, dueUntil, now]);
  return rows.length > 0;
}

/** Returns when the next delivery of a destination is due or its lease ends; null = none is pending. */
export async function nextDueAt(
  sql: Sql,
  destination: string,
): Promise<number | null> {
  const [row] = await sql.query<{ dueAt: number }>(NEXT_DUE_AT, [destination]);
  return row?.dueAt ?? null;
}

/** Reduces later due times and ends of leases to these limits, in steps, because there may be millions. */
export async function limitDueTimes(
  sql: Sql,
  { destination, now, retryUntil, leaseUntil }: DueTimeLimits,
): Promise<void> {
  // No limit is earlier than `now`, so earlier due times stay as they are.
  let last: { dueAt: number; id: number } | undefined = {
    dueAt: now,
    id: Number.MAX_SAFE_INTEGER,
  };
  while (last !== undefined) {
    [last] = await sql.query<{ dueAt: number; id: number }>(LIMIT_DUE_TIMES, [
      destination,
      last.dueAt,
      last.id,
      now,
      retryUntil,
      leaseUntil,
    ]);
  }
}
