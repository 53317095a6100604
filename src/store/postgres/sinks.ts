import type { Control } from "../port.ts";
import type { SavedSink, SinkPosition } from "../records.ts";
import { DATABASE_NOW } from "./database-clock.ts";
import type { Sql } from "./sql.ts";

const READ = {
  name: "sink-position",
  text: `SELECT position, sending, degraded_since AS "degradedSince" FROM audit_sink WHERE name = $1`,
};

const ALL = {
  name: "saved-sinks",
  text: `SELECT name, position, saved_at AS "savedAt" FROM audit_sink`,
};

/** A new sink is saved by any process, and the position of an existing one only by the holder of the lease. */
const SAVE = {
  name: "save-sink",
  text: `
WITH own AS (
  SELECT FROM lease WHERE name = 'sinks' AND holder = $6 AND held_until > ${DATABASE_NOW} FOR SHARE
)
INSERT INTO audit_sink AS saved (name, position, sending, degraded_since, saved_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (name) DO UPDATE SET position = excluded.position, sending = excluded.sending,
  degraded_since = excluded.degraded_since, saved_at = excluded.saved_at
WHERE EXISTS (SELECT FROM own)`,
};

export const readSavedSinks = (sql: Sql): Promise<SavedSink[]> =>
  sql.query(ALL);

/** Keeps the positions of the sinks. `now`: unix milliseconds. */
export function createSinkTable(
  sql: Sql,
  writer: string,
  now: () => number,
): Pick<Control, "sinkPosition" | "savedSinks" | "saveSinkPosition"> {
  return {
    async sinkPosition(name) {
      const [row] = await sql.query<SinkPosition>(READ, [name]);
      return row ?? null;
    },
    savedSinks: () => readSavedSinks(sql),
    async saveSinkPosition(name, { position, sending, degradedSince }) {
      const values = [name, position, sending, degradedSince, now(), writer];
      return (await sql.execute(SAVE, values)) === 1;
    },
  };
}
