import type { Pool } from "./pool.ts";
import { droppedName } from "./drop-partition.ts";
import { KEPT_DAY } from "./event-days.ts";
import { type Sql, type Statement, unprepared } from "./sql.ts";

/*
 * Moves the events that are still pending out of a day that is about to be dropped. Their deliveries and attempts follow. The
 * statements contain the day, so that the planner skips the other partitions.
 */

/** The limits of one step: events, and bytes of their bodies. */
const STEP = 200;
const MAX_BYTES = 4_194_304;

/** The deliveries and the bodies of the first pending events of a day. */
const pendingOf = (day: number): Statement =>
  unprepared(`
SELECT e.seq, octet_length(e.body) AS bytes FROM event e
WHERE e.day = ${day} AND e.seq IN (
  SELECT DISTINCT p.event_seq FROM pending_delivery p
  WHERE p.day = ${day} AND p.event_seq BETWEEN (SELECT min(seq) FROM event WHERE day = ${day})
    AND (SELECT max(seq) FROM event WHERE day = ${day})
  ORDER BY p.event_seq LIMIT ${STEP})
ORDER BY e.seq`);

/** Locked in the order of their ids, so that rivals wait and do not deadlock. */
const LOCK = unprepared(
  "SELECT id FROM pending_delivery WHERE event_seq = ANY ($1) ORDER BY id FOR UPDATE",
);

const MOVE_EVENT_ID = unprepared(`
UPDATE event_id SET day = ${KEPT_DAY} FROM event
WHERE event.day = ${KEPT_DAY} AND event.seq = ANY ($1)
  AND event_id.source = event.source AND event_id.id = event.id AND event_id.seq = event.seq`);

const MOVE_PENDING = unprepared(
  `UPDATE pending_delivery SET day = ${KEPT_DAY} WHERE event_seq = ANY ($1)`,
);

/** Moves some pending events of a day to the kept ones. Returns how many; 0 = the day has none. */
export async function keepPending(pool: Pool, day: number): Promise<number> {
  const pending = await pool.query<{ seq: number; bytes: number }>(
    pendingOf(day),
  );
  let bytes = 0;
  const end = pending.findIndex((event, i) => {
    bytes += event.bytes;
    return i > 0 && bytes > MAX_BYTES;
  });
  const seqs = (end === -1 ? pending : pending.slice(0, end)).map(
    ({ seq }) => seq,
  );
  if (seqs.length > 0) {
    await pool.transaction((sql) => moveToKept(sql, day, seqs));
  }
  return seqs.length;
}

async function moveToKept(
  sql: Sql,
  day: number,
  seqs: readonly number[],
): Promise<void> {
  // From here on no attempt of these deliveries can end before this transaction does.
  await sql.query(LOCK, [seqs]);
  await sql.execute(
    unprepared(`
UPDATE attempt SET day = ${KEPT_DAY} WHERE day = ${day} AND delivery_id IN (
  SELECT id FROM pending_delivery WHERE event_seq = ANY ($1)
  UNION ALL SELECT id FROM ended_delivery WHERE day = ${day} AND event_seq = ANY ($1))`),
    [seqs],
  );
  for (const [table, seq] of [
    ["ended_delivery", "event_seq"],
    ["event", "seq"],
  ] as const) {
    await sql.execute(
      unprepared(
        `UPDATE ${table} SET day = ${KEPT_DAY} WHERE day = ${day} AND ${seq} = ANY ($1)`,
      ),
      [seqs],
    );
  }
  await sql.execute(MOVE_EVENT_ID, [seqs]);
  await sql.execute(MOVE_PENDING, [seqs]);
}

const COLUMNS = {
  event:
    "seq, source, id, type, received_at, content_type, headers, body_sha256, body, id_signed",
  ended_delivery:
    "id, event_seq, destination, state, attempt, uncounted, crashes, claimed_at, order_key",
  attempt:
    "delivery_id, attempt, started_at, ended_at, ok, status, reason, detail",
} as const;

const copyLate = (
  table: keyof typeof COLUMNS,
  day: number,
  condition: string,
): Statement =>
  unprepared(`
INSERT INTO ${table} (day, ${COLUMNS[table]})
SELECT ${KEPT_DAY}, ${COLUMNS[table]} FROM ${droppedName(table, day)} WHERE ${condition}
ON CONFLICT DO NOTHING`);

/**
 * Inside a transaction: keeps the events of a detached day that became pending again after `keepPending`, because an
 * operator asked for a redelivery meanwhile.
 */
export async function keepLate(sql: Sql, day: number): Promise<void> {
  const late = await sql.query<{ seq: number }>(
    unprepared(
      `SELECT DISTINCT event_seq AS seq FROM pending_delivery WHERE day = ${day}`,
    ),
  );
  if (late.length === 0) {
    return;
  }
  const seqs = [late.map(({ seq }) => seq)];
  await sql.execute(copyLate("event", day, "seq = ANY ($1)"), seqs);
  await sql.execute(
    copyLate("ended_delivery", day, "event_seq = ANY ($1)"),
    seqs,
  );
  await sql.execute(
    copyLate(
      "attempt",
      day,
      `delivery_id IN (
         SELECT id FROM pending_delivery WHERE event_seq = ANY ($1)
         UNION ALL SELECT id FROM ended_delivery WHERE day = ${KEPT_DAY} AND event_seq = ANY ($1))`,
    ),
    seqs,
  );
  await sql.execute(
    unprepared(`
INSERT INTO event_id (source, id, day, seq, body_sha256)
SELECT source, id, ${KEPT_DAY}, seq, body_sha256 FROM event WHERE day = ${KEPT_DAY} AND seq = ANY ($1)
ON CONFLICT DO NOTHING`),
    seqs,
  );
  await sql.execute(
    unprepared(`
INSERT INTO unsigned_event (source, body_sha256, id, seq)
SELECT source, body_sha256, id, seq FROM event WHERE day = ${KEPT_DAY} AND seq = ANY ($1) AND NOT id_signed
ON CONFLICT DO NOTHING`),
    seqs,
  );
  await sql.execute(MOVE_PENDING, seqs);
}
