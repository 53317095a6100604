import { TIMESTAMP_AT, TIMESTAMP_LENGTH } from "../../audit/entry.ts";
import type { Control } from "../port.ts";
import type { Database } from "./driver.ts";

/** Reads the newest stored time: of the last event, of the last entry, and when each writer and sink was last seen. */
export function createNewestTime(db: Database): Control["newestTime"] {
  const times = db.prepare<[], { at: number | null }>(
    `SELECT (SELECT received_at FROM event ORDER BY seq DESC LIMIT 1) AS at
     UNION ALL SELECT seen_at FROM audit_writer WHERE seen_at > 0
     UNION ALL SELECT saved_at FROM audit_sink`,
  );
  const lastEntry = db.prepare<[], { at: string }>(
    `SELECT substr(line, ${TIMESTAMP_AT + 1}, ${TIMESTAMP_LENGTH}) AS at
     FROM audit_entry ORDER BY position DESC LIMIT 1`,
  );
  return async (now) => {
    const entry = lastEntry.get();
    const seen = times.all().flatMap(({ at }) => at ?? []);
    const all = entry === undefined ? seen : [...seen, Date.parse(entry.at)];
    const past = all.filter((at) => at <= now);
    return past.length === 0 ? null : past.reduce((a, b) => Math.max(a, b));
  };
}
