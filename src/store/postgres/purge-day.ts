import { eventsPurged, type Purged } from "../../audit/retention-entries.ts";
import type { PurgeRequest } from "../records.ts";
import {
  detachPartition,
  dropDetached,
  type RunAlone,
} from "./drop-partition.ts";
import {
  advanceExpiredDay,
  beginExpiredDay,
  EVENT_TABLES,
  type ExpiredDay,
  forgetExpiredDay,
  readExpiredDay,
} from "./expired-days.ts";
import { keepLate, keepPending } from "./keep-pending.ts";
import type { Lane } from "./lane.ts";
import { inTransaction, type Pool } from "./pool.ts";
import { type Sql, type Statement, unprepared } from "./sql.ts";

/** The maximum numbers of rows that one step counts, and of ids that it deletes. */
const COUNT_STEP = 50_000;
const DELETE_STEP = 2000;

const NOTHING: Purged = { events: 0, deliveries: 0, attempts: 0 };

/* The statements contain the day, so that the planner skips the other partitions. */

const COUNTED = {
  count_events: {
    table: "event",
    key: "seq",
    column: "events",
    next: "count_deliveries",
  },
  count_deliveries: {
    table: "ended_delivery",
    key: "id",
    column: "deliveries",
    next: "count_attempts",
  },
} as const;

/** Counts further rows. Without rows it changes nothing. */
const countRows = (
  { day, after }: ExpiredDay,
  { table, key, column }: (typeof COUNTED)[keyof typeof COUNTED],
): Statement =>
  unprepared(`
WITH batch AS (
  SELECT ${key} AS key FROM ${table} WHERE day = ${day} AND ${key} > ${after} ORDER BY ${key} LIMIT ${COUNT_STEP}
)
UPDATE expired_day SET ${column} = ${column} + (SELECT count(*) FROM batch), after = (SELECT max(key) FROM batch)
WHERE day = ${day} AND after = ${after} AND EXISTS (SELECT FROM batch)`);

/** The attempts of a delivery are counted together. */
const countAttempts = ({ day, after }: ExpiredDay): Statement =>
  unprepared(`
WITH batch AS (
  SELECT delivery_id FROM attempt WHERE day = ${day} AND delivery_id > ${after} ORDER BY delivery_id LIMIT ${COUNT_STEP}
), counted AS (
  SELECT count(*) AS attempts, max(delivery_id) AS last FROM attempt
  WHERE day = ${day} AND delivery_id > ${after} AND delivery_id <= (SELECT max(delivery_id) FROM batch)
)
UPDATE expired_day SET attempts = expired_day.attempts + counted.attempts, after = counted.last
FROM counted WHERE day = ${day} AND after = ${after} AND counted.last IS NOT NULL`);

const deleteIds = ({ day, after }: ExpiredDay): Statement =>
  unprepared(`
WITH batch AS MATERIALIZED (
  SELECT seq, source, id, body_sha256, id_signed FROM event WHERE day = ${day} AND seq > ${after} ORDER BY seq LIMIT ${DELETE_STEP}
), deleted AS (
  DELETE FROM event_id USING batch
  WHERE event_id.source = batch.source AND event_id.id = batch.id AND event_id.day = ${day} AND event_id.seq = batch.seq
), deleted_unsigned AS (
  DELETE FROM unsigned_event u USING batch
  WHERE NOT batch.id_signed AND u.source = batch.source AND u.body_sha256 = batch.body_sha256 AND u.seq = batch.seq
)
UPDATE expired_day SET after = (SELECT max(seq) FROM batch)
WHERE day = ${day} AND after = ${after} AND EXISTS (SELECT FROM batch)`);

const hasPending = (day: number): Statement =>
  unprepared(`
SELECT 1 FROM pending_delivery
WHERE day = ${day} AND event_seq BETWEEN (SELECT min(seq) FROM event WHERE day = ${day})
  AND (SELECT max(seq) FROM event WHERE day = ${day}) LIMIT 1`);

export interface DayPurger {
  /**
   * Makes one bounded step of the deletion of an expired day. `purged`: what the audit entry of this step reports. `isDone`:
   * the day is deleted. A process that is killed between two steps, or during one, loses nothing: any process can make the
   * next step.
   */
  readonly step: (
    day: number,
    request: Pick<PurgeRequest, "now" | "receivedBefore">,
  ) => Promise<{ readonly purged: Purged; readonly isDone: boolean }>;
}

export function createDayPurger(deps: {
  readonly pool: Pool;
  readonly lane: Pick<Lane, "run">;
  readonly alone: RunAlone;
}): DayPurger {
  const { pool, lane, alone } = deps;

  /** Writes the signed entry. The events are deleted for every reader when it is committed. */
  function report(
    { day }: ExpiredDay,
    request: Pick<PurgeRequest, "now" | "receivedBefore">,
  ): Promise<Purged> {
    const { now: at, receivedBefore } = request;
    return lane.run(async (tx) => {
      const current = await readExpiredDay(tx, day);
      const [pending] = await tx.query(hasPending(day));
      if (pending !== undefined) {
        // An operator has asked for a redelivery meanwhile.
        await forgetExpiredDay(tx, day);
        return NOTHING;
      }
      const stages = { from: "count_attempts", to: "reported" } as const;
      if (current === null || !(await advanceExpiredDay(tx, day, stages))) {
        return NOTHING;
      }
      const { events, deliveries, attempts } = current;
      const purged = { events, deliveries, attempts };
      if (events > 0) {
        tx.append(eventsPurged(purged, { at, receivedBefore }));
        // A verification accepts the deletion only when the entry is signed.
        tx.checkpoint();
      }
      return purged;
    });
  }

  async function detach(day: number): Promise<void> {
    await alone(async (sql) => {
      for (const table of EVENT_TABLES) {
        await detachPartition(sql, table, day);
      }
    });
    const stages = { from: "reported", to: "detached" } as const;
    await advanceExpiredDay(pool, day, stages);
  }

  async function drop(day: number): Promise<void> {
    await alone(async (sql) => {
      // No transaction can write to the detached tables any more.
      await inTransaction(sql, (tx: Sql) => keepLate(tx, day));
      for (const table of EVENT_TABLES) {
        await dropDetached(sql, table, day);
      }
      await forgetExpiredDay(sql, day);
    });
  }

  /** Returns what the audit entry of this step reports; null = the day is deleted. */
  async function step(
    day: number,
    request: Pick<PurgeRequest, "now" | "receivedBefore">,
  ): Promise<Purged | null> {
    const state = await readExpiredDay(pool, day);
    switch (state?.stage) {
      case undefined:
        if ((await keepPending(pool, day)) === 0) {
          await beginExpiredDay(pool, day);
        }
        return NOTHING;
      case "count_events":
      case "count_deliveries": {
        const counted = COUNTED[state.stage];
        if ((await pool.execute(countRows(state, counted))) === 0) {
          await advanceExpiredDay(pool, day, {
            from: state.stage,
            to: counted.next,
          });
        }
        return NOTHING;
      }
      case "count_attempts":
        return (await pool.execute(countAttempts(state))) === 0
          ? report(state, request)
          : NOTHING;
      case "reported":
        if ((await pool.execute(deleteIds(state))) === 0) {
          await detach(day);
        }
        return NOTHING;
      case "detached":
        await drop(day);
        return null;
    }
  }

  return {
    async step(day, request) {
      const purged = await step(day, request);
      return { purged: purged ?? NOTHING, isDone: purged === null };
    },
  };
}
