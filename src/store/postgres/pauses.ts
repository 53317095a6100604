import { MAX_RETRY_AFTER_MS } from "../../domain/retry-after.ts";
import type { PausedDestination, RequestedPause } from "../records.ts";
import type { Sql, Statement } from "./sql.ts";

const PAUSED: Statement = {
  name: "paused_destinations",
  text: `
    SELECT name, paused_at AS "pausedAt", paused_by AS "pausedBy", paused_until AS "pausedUntil"
    FROM paused_destination ORDER BY name COLLATE "C"`,
};
const PAUSE: Statement = {
  name: "pause_destination",
  text: `
    INSERT INTO paused_destination AS paused (name, paused_at, paused_by) VALUES ($1, $2, $3)
    ON CONFLICT (name) DO UPDATE SET
      paused_at = excluded.paused_at, paused_by = excluded.paused_by, paused_until = NULL
    WHERE paused.paused_until IS NOT NULL`,
};
const RESUME: Statement = {
  name: "resume_destination",
  text: "DELETE FROM paused_destination WHERE name = $1",
};
const PAUSE_UNTIL: Statement = {
  name: "pause_destination_until",
  text: `
    INSERT INTO paused_destination (name, paused_at, paused_by, paused_until) VALUES ($1, $2, 'system', $3)
    ON CONFLICT (name) DO NOTHING`,
};
// A pause with an end later than the maximum was stored by a clock that was ahead.
const PROLONG: Statement = {
  name: "prolong_pause",
  text: `
    UPDATE paused_destination SET paused_until = $2
    WHERE name = $1 AND (paused_until < $2 OR paused_until > $3)`,
};
const END_PAUSE: Statement = {
  name: "end_pause",
  text: "DELETE FROM paused_destination WHERE name = $1 AND paused_until = $2",
};

/** Returns the paused destinations. */
export const readPauses = (sql: Sql): Promise<PausedDestination[]> =>
  sql.query(PAUSED);

/** Pauses a destination until an operator resumes it, or resumes it (`paused` = null). Returns false if that changes nothing. */
export async function setPaused(
  sql: Sql,
  name: string,
  paused: { readonly at: number; readonly by: string } | null,
): Promise<boolean> {
  const changes =
    paused === null
      ? await sql.execute(RESUME, [name])
      : await sql.execute(PAUSE, [name, paused.at, paused.by]);
  return changes > 0;
}

/** Pauses a destination, or extends a pause that would end earlier. Returns whether it was not paused before. */
export async function pauseUntil(
  sql: Sql,
  { destination, at, until }: RequestedPause,
): Promise<boolean> {
  if ((await sql.execute(PAUSE_UNTIL, [destination, at, until])) > 0) {
    return true;
  }
  await sql.execute(PROLONG, [destination, until, at + MAX_RETRY_AFTER_MS]);
  return false;
}

/** Ends a pause. Returns false if the destination has no pause with this end. */
export async function endPause(
  sql: Sql,
  name: string,
  until: number,
): Promise<boolean> {
  return (await sql.execute(END_PAUSE, [name, until])) > 0;
}
