import type { Purged } from "../../audit/retention-entries.ts";
import { listDays } from "./partition-list.ts";
import type { Sql } from "./sql.ts";

/* The progress of the deletion of expired days, in the table `expired_day`. A killed process leaves it as it is. */

/** The tables with a partition for each day of events. */
export const EVENT_TABLES = ["ended_delivery", "attempt", "event"] as const;

export type Stage =
  | "count_events"
  | "count_deliveries"
  | "count_attempts"
  /** The audit entry is written. From now on the events are gone for every reader. */
  | "reported"
  /** Their ids are deleted, and the partitions are detached. */
  | "detached";

export interface ExpiredDay extends Purged {
  readonly day: number;
  readonly stage: Stage;
  /** The last row that this stage has gone through. */
  readonly after: number;
}

/** Selects the days that are gone for every reader, although their deletion is not complete. */
const SELECT_REPORTED =
  "SELECT day FROM expired_day WHERE stage IN ('reported', 'detached')";

/** The condition that a day is not being deleted. */
export const IS_STORED = `day NOT IN (${SELECT_REPORTED})`;

const REPORTED = { name: "reported-days", text: SELECT_REPORTED };

/** Returns the days whose deletion is reported, and not complete. */
export async function listReportedDays(sql: Sql): Promise<number[]> {
  const rows = await sql.query<{ day: number }>(REPORTED);
  return rows.map(({ day }) => day);
}

/** Returns the days to delete, oldest first: those before `firstKept`, and those whose deletion is reported. */
export async function listExpiredDays(
  sql: Sql,
  firstKept: number,
): Promise<number[]> {
  const days = new Set<number>();
  for (const table of EVENT_TABLES) {
    for (const day of await listDays(sql, table)) {
      if (day < firstKept) {
        days.add(day);
      }
    }
  }
  for (const day of await listReportedDays(sql)) {
    days.add(day);
  }
  return [...days].sort((a, b) => a - b);
}

const READ = {
  name: "expired-day",
  text: "SELECT day, stage, after, events, deliveries, attempts FROM expired_day WHERE day = $1",
};

/** Returns the progress of a day; null = its deletion has not begun. */
export async function readExpiredDay(
  sql: Sql,
  day: number,
): Promise<ExpiredDay | null> {
  const [row] = await sql.query<ExpiredDay>(READ, [day]);
  return row ?? null;
}

const BEGIN = {
  name: "begin-expired-day",
  text: "INSERT INTO expired_day (day, stage) VALUES ($1, 'count_events') ON CONFLICT DO NOTHING",
};

export async function beginExpiredDay(sql: Sql, day: number): Promise<void> {
  await sql.execute(BEGIN, [day]);
}

const ADVANCE = {
  name: "advance-expired-day",
  text: "UPDATE expired_day SET stage = $3, after = 0 WHERE day = $1 AND stage = $2",
};

/** Moves a day to the next stage. Returns false if it is not at the stage `from`. */
export async function advanceExpiredDay(
  sql: Sql,
  day: number,
  stages: { readonly from: Stage; readonly to: Stage },
): Promise<boolean> {
  return (await sql.execute(ADVANCE, [day, stages.from, stages.to])) === 1;
}

const FORGET = {
  name: "forget-expired-day",
  text: "DELETE FROM expired_day WHERE day = $1",
};

/** Ends the deletion of a day, or lets it begin again. */
export async function forgetExpiredDay(sql: Sql, day: number): Promise<void> {
  await sql.execute(FORGET, [day]);
}
