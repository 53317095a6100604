import { eventsPurged, type Purged } from "../../audit/retention-entries.ts";
import type { PurgeRequest } from "../records.ts";
import { KEPT_DAY } from "./event-days.ts";
import type { Lane } from "./lane.ts";
import { type Sql, unprepared } from "./sql.ts";

/** The maximum number of kept events that one step examines. */
const STEP = 200;

const OLD = unprepared(`
SELECT seq, received_at < $2 AND NOT EXISTS (SELECT FROM pending_delivery WHERE event_seq = seq) AS "isOld"
FROM event WHERE day = ${KEPT_DAY} AND seq > $1 ORDER BY seq LIMIT ${STEP}`);

const LOCK = unprepared(
  `SELECT seq FROM event WHERE day = ${KEPT_DAY} AND seq = ANY ($1) ORDER BY seq FOR UPDATE`,
);

const PENDING = unprepared(
  "SELECT DISTINCT event_seq AS seq FROM pending_delivery WHERE event_seq = ANY ($1)",
);

const DELETE_ATTEMPTS = unprepared(`
DELETE FROM attempt WHERE day = ${KEPT_DAY} AND delivery_id IN (
  SELECT id FROM ended_delivery WHERE day = ${KEPT_DAY} AND event_seq = ANY ($1))`);

const DELETE_DELIVERIES = unprepared(
  `DELETE FROM ended_delivery WHERE day = ${KEPT_DAY} AND event_seq = ANY ($1)`,
);

const DELETE_IDS = unprepared(`
DELETE FROM event_id USING event
WHERE event.day = ${KEPT_DAY} AND event.seq = ANY ($1)
  AND event_id.source = event.source AND event_id.id = event.id AND event_id.seq = event.seq`);

const DELETE_UNSIGNED = unprepared(`
DELETE FROM unsigned_event u USING event
WHERE event.day = ${KEPT_DAY} AND event.seq = ANY ($1) AND NOT event.id_signed
  AND u.source = event.source AND u.body_sha256 = event.body_sha256 AND u.seq = event.seq`);

const DELETE_EVENTS = unprepared(
  `DELETE FROM event WHERE day = ${KEPT_DAY} AND seq = ANY ($1)`,
);

/** Deletes kept events after `from` that are no longer pending. `next`: where the next step resumes; null = none is left. */
export async function purgeKept(
  deps: { readonly sql: Sql; readonly lane: Pick<Lane, "run"> },
  request: Omit<PurgeRequest, "from"> & { readonly from: number },
): Promise<{ readonly purged: Purged; readonly next: number | null }> {
  const { now: at, receivedBefore, from } = request;
  const rows = await deps.sql.query<{ seq: number; isOld: boolean }>(OLD, [
    from,
    receivedBefore,
  ]);
  const old = rows.filter(({ isOld }) => isOld).map(({ seq }) => seq);
  const purged = await deps.lane.run(async (tx) => {
    const result = { events: 0, deliveries: 0, attempts: 0 };
    if (old.length === 0) {
      return result;
    }
    const locked = await tx.query<{ seq: number }>(LOCK, [old]);
    const pending = await tx.query<{ seq: number }>(PENDING, [old]);
    const isPending = new Set(pending.map(({ seq }) => seq));
    const seqs = [
      locked.map(({ seq }) => seq).filter((seq) => !isPending.has(seq)),
    ];
    result.attempts = await tx.execute(DELETE_ATTEMPTS, seqs);
    result.deliveries = await tx.execute(DELETE_DELIVERIES, seqs);
    await tx.execute(DELETE_IDS, seqs);
    await tx.execute(DELETE_UNSIGNED, seqs);
    result.events = await tx.execute(DELETE_EVENTS, seqs);
    if (result.events > 0) {
      tx.append(eventsPurged(result, { at, receivedBefore }));
      tx.checkpoint();
    }
    return result;
  });
  const last = rows.at(-1);
  return { purged, next: rows.length < STEP ? null : (last?.seq ?? null) };
}
