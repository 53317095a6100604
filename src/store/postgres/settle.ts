import type { Settlement } from "../records.ts";
import { resultColumns } from "./attempts.ts";
import type { Tx } from "./lane.ts";
import { advance } from "./order.ts";
import { pauseUntil } from "./pauses.ts";
import { columnsOf, type Statement } from "./sql.ts";

const SETTLE: Statement = {
  name: "settle",
  text: `
    WITH job AS (
      SELECT * FROM unnest($1::bigint[], $2::integer[], $3::text[], $4::bigint[], $5::bigint[], $6::boolean[], $7::integer[],
        $8::text[], $9::text[]) AS job (id, attempt, state, due_at, ended_at, ok, status, reason, detail)),
    ended AS (
      DELETE FROM pending_delivery one USING job
      WHERE one.id = job.id AND one.attempt = job.attempt AND leased_by IS NOT NULL AND job.state <> 'pending'
      RETURNING one.*, job.state, ended_at, ok, status, reason, detail),
    delayed AS (
      UPDATE pending_delivery one SET due_at = job.due_at, leased_by = NULL FROM job
      WHERE one.id = job.id AND one.attempt = job.attempt AND leased_by IS NOT NULL AND job.state = 'pending'
      RETURNING one.*, ended_at, ok, status, reason, detail),
    held AS (
      SELECT id, day, attempt, claimed_at, destination, order_key, ended_at, ok, status, reason, detail FROM ended
      UNION ALL
      SELECT id, day, attempt, claimed_at, destination, order_key, ended_at, ok, status, reason, detail FROM delayed),
    moved AS (
      INSERT INTO ended_delivery
        (day, id, event_seq, destination, state, attempt, uncounted, crashes, claimed_at, order_key)
      SELECT day, id, event_seq, destination, state, attempt, uncounted, crashes, claimed_at, order_key FROM ended),
    written AS (
      INSERT INTO attempt (day, delivery_id, attempt, started_at, ended_at, ok, status, reason, detail)
      SELECT day, id, attempt, claimed_at, ended_at, ok, status, reason, detail FROM held)
    SELECT id, attempt, destination, order_key AS "orderKey" FROM held`,
};

interface HeldRow {
  readonly id: number;
  readonly attempt: number;
  readonly destination: string;
  readonly orderKey: Buffer | null;
}

/** Identifies an attempt. */
const attemptKey = (id: number, attempt: number): string => `${id}:${attempt}`;

/**
 * Writes the outcomes of attempts, inside the caller's transaction. Returns for each whether its lease was held; otherwise
 * nothing of it is written.
 */
export async function settleAll(
  tx: Tx,
  settlements: readonly Settlement[],
): Promise<boolean[]> {
  const first = new Map<string, Settlement>();
  for (const settlement of settlements) {
    const key = attemptKey(settlement.deliveryId, settlement.attempt);
    first.set(key, first.get(key) ?? settlement);
  }
  const rows = await tx.query<HeldRow>(
    SETTLE,
    columnsOf([...first.values()].map(jobColumns)),
  );
  const held = new Map(
    rows.map((row) => [attemptKey(row.id, row.attempt), row]),
  );
  const ended: Parameters<typeof advance>[1][number][] = [];
  const outcomes: boolean[] = [];
  for (const settlement of settlements) {
    const { deliveryId, attempt, endedAt, next, entry, pause } = settlement;
    const key = attemptKey(deliveryId, attempt);
    const row = held.get(key);
    outcomes.push(row !== undefined);
    if (row === undefined) {
      continue;
    }
    // A second outcome of the same attempt finds no lease.
    held.delete(key);
    tx.append(entry);
    if (pause !== undefined && (await pauseUntil(tx, pause))) {
      tx.append(pause.entry);
    }
    if (next.state !== "pending") {
      const { destination, orderKey } = row;
      ended.push({ destination, orderKey, now: endedAt });
    }
  }
  await advance(tx, ended);
  return outcomes;
}

function jobColumns(settlement: Settlement): unknown[] {
  const { deliveryId, attempt, endedAt, result, next } = settlement;
  const dueAt = next.state === "pending" ? next.dueAt : null;
  return [
    deliveryId,
    attempt,
    next.state,
    dueAt,
    endedAt,
    ...resultColumns(result),
  ];
}
