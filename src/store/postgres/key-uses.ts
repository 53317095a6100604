import { CLOCK_MARGIN_MS } from "../clock-margin.ts";
import { KEY_USE_KEEP_MS } from "../limits.ts";
import type { KeyUse } from "../records.ts";
import type { Sql, Statement } from "./sql.ts";

const ALL: Statement = {
  name: "key_uses",
  text: `SELECT source, key_id AS "keyId", used_at AS at FROM key_use ORDER BY source COLLATE "C", key_id COLLATE "C"`,
};

// A time in the future was saved by a clock that was ahead. All processes write in the same order, so that they never wait
// for each other.
const SAVE: Statement = {
  name: "save_key_uses",
  text: `
    WITH new AS (
      SELECT source, key_id, max(used_at) AS used_at
      FROM unnest($1::text[], $2::text[], $3::bigint[]) AS use (source, key_id, used_at) GROUP BY source, key_id),
    old AS (DELETE FROM key_use WHERE used_at < $5 AND (source, key_id) NOT IN (SELECT source, key_id FROM new))
    INSERT INTO key_use AS saved (source, key_id, used_at)
    SELECT source, key_id, used_at FROM new ORDER BY source COLLATE "C", key_id COLLATE "C"
    ON CONFLICT (source, key_id) DO UPDATE SET used_at = excluded.used_at
    WHERE saved.used_at < excluded.used_at OR saved.used_at > $4`,
};

/** Returns when each key was last used. */
export const readKeyUses = (sql: Sql): Promise<KeyUse[]> => sql.query(ALL);

/** Saves when keys were last used. `now`: unix milliseconds. */
export async function saveKeyUses(
  sql: Sql,
  uses: readonly KeyUse[],
  now: number,
): Promise<void> {
  await sql.execute(SAVE, [
    uses.map(({ source }) => source),
    uses.map(({ keyId }) => keyId),
    uses.map(({ at }) => at),
    now + CLOCK_MARGIN_MS,
    now - KEY_USE_KEEP_MS,
  ]);
}
