import type { ClaimRequest } from "../records.ts";
import { MAX_PROBE_CANDIDATES, MAX_PROBE_DUE } from "../limits.ts";
import type { Database } from "./driver.ts";
import { DUE_COLUMNS, type DueRow } from "./due-row.ts";

/**
 * Selects the delivery for the next probe of a circuit breaker. It takes the newest due event that was not a probe before,
 * preferably of another source or type than earlier probes. So if all events of one type fail, another type is tried after a
 * few probes. Deliveries with crashes are left to the quarantine. Returns null if there is no such delivery, or if the claim
 * is not a probe.
 */
export function createProbeSelection(
  db: Database,
): (request: ClaimRequest) => DueRow | null {
  const select = db.prepare<
    [string, string, number, number, number, number],
    DueRow
  >(
    `WITH probed (seq) AS (SELECT value FROM json_each(?)),
       latest AS (
         SELECT ${DUE_COLUMNS}
         FROM delivery
         WHERE destination = ? AND state = 'pending' AND due_at <= ? AND leased = 0 AND crashes <= ?
         ORDER BY due_at DESC LIMIT ?),
       candidate AS (
         SELECT * FROM latest ORDER BY event_seq IN (SELECT seq FROM probed), event_seq DESC LIMIT ?)
     SELECT candidate.* FROM candidate JOIN event ON event.seq = event_seq
     ORDER BY event_seq IN (SELECT seq FROM probed),
       (source, type) IN (SELECT source, type FROM event WHERE seq IN (SELECT seq FROM probed)),
       event_seq DESC LIMIT 1`,
  );
  return ({ probed, destination, dueUntil, crashed }) => {
    if (probed === null) {
      return null;
    }
    const maxCrashes = crashed === "any" ? Number.MAX_SAFE_INTEGER : 0;
    const row = select.get(
      JSON.stringify(probed),
      destination,
      dueUntil,
      maxCrashes,
      MAX_PROBE_DUE,
      MAX_PROBE_CANDIDATES,
    );
    return row ?? null;
  };
}
