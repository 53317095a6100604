import { TIMESTAMP_AT, TIMESTAMP_LENGTH } from "../../audit/entry.ts";
import type { Control } from "../port.ts";
import type { Sql } from "./sql.ts";

const TIMES = {
  name: "newest-times",
  text: `
SELECT (SELECT received_at FROM event ORDER BY seq DESC LIMIT 1) AS at
UNION ALL SELECT max(seen_at) FROM audit_writer WHERE seen_at BETWEEN 1 AND $1
UNION ALL SELECT max(saved_at) FROM audit_sink WHERE saved_at <= $1`,
};

const LAST_ENTRY = {
  name: "time-of-last-entry",
  text: `
SELECT substr(line, ${TIMESTAMP_AT + 1}, ${TIMESTAMP_LENGTH}) AS at FROM audit_entry ORDER BY position DESC LIMIT 1`,
};

/** Reads the newest stored time: of the last event, of the last entry, and when each writer and sink was last seen. */
export function createNewestTime(sql: Sql): Control["newestTime"] {
  return async (now) => {
    const times = await sql.query<{ at: number | null }>(TIMES, [now]);
    const [entry] = await sql.query<{ at: string }>(LAST_ENTRY);
    const seen = times.flatMap(({ at }) => at ?? []);
    const all = entry === undefined ? seen : [...seen, Date.parse(entry.at)];
    const past = all.filter((at) => at <= now);
    return past.length === 0 ? null : past.reduce((a, b) => Math.max(a, b));
  };
}
