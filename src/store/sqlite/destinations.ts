import type {
  DeliveryCounts,
  DestinationGauge,
  PausedDestination,
  RequestedPause,
} from "../records.ts";
import { MAX_RETRY_AFTER_MS } from "../../domain/retry-after.ts";
import { MAX_COUNT } from "../limits.ts";
import type { Database } from "./driver.ts";

/** Counts deliveries and keeps the pauses of destinations. */
export function createDestinationTable(db: Database) {
  const pending = countBy(db, "pending");
  const exhausted = countBy(db, "exhausted");
  // Reads only the partial index of pending deliveries.
  const gauges = db.prepare<[], DestinationGauge>(
    `SELECT destination, count(*) AS pending, min(pending_since) AS oldestPendingSince
     FROM delivery INDEXED BY delivery_pending_since WHERE state = 'pending' GROUP BY destination`,
  );
  const paused = db.prepare<[], PausedDestination>(
    `SELECT name, paused_at AS pausedAt, paused_by AS pausedBy, paused_until AS pausedUntil
     FROM paused_destination ORDER BY name`,
  );
  const pause = db.prepare<[string, number, string]>(
    `INSERT INTO paused_destination (name, paused_at, paused_by) VALUES (?, ?, ?)
     ON CONFLICT (name) DO UPDATE SET paused_at = excluded.paused_at, paused_by = excluded.paused_by, paused_until = NULL
     WHERE paused_until IS NOT NULL`,
  );
  const pauseUntil = db.prepare<[string, number, number]>(
    `INSERT INTO paused_destination (name, paused_at, paused_by, paused_until) VALUES (?, ?, 'system', ?)
     ON CONFLICT (name) DO NOTHING`,
  );
  const prolong = db.prepare<[number, string, number, number]>(
    `UPDATE paused_destination SET paused_until = ?
     WHERE name = ? AND (paused_until < ? OR paused_until > ?)`,
  );
  const endPause = db.prepare<[string, number]>(
    "DELETE FROM paused_destination WHERE name = ? AND paused_until = ?",
  );
  const resume = db.prepare<[string]>(
    "DELETE FROM paused_destination WHERE name = ?",
  );

  return {
    counts(): DeliveryCounts[] {
      const counts = new Map<string, { pending: number; exhausted: number }>();
      const of = (destination: string) => {
        const found = counts.get(destination) ?? { pending: 0, exhausted: 0 };
        counts.set(destination, found);
        return found;
      };
      for (const { destination, count } of pending.all()) {
        of(destination).pending = count;
      }
      for (const { destination, count } of exhausted.all()) {
        of(destination).exhausted = count;
      }
      return [...counts].map(([destination, count]) => ({
        destination,
        ...count,
      }));
    },
    gauges: (): DestinationGauge[] => gauges.all(),
    paused: (): PausedDestination[] => paused.all(),
    /** Pauses a destination, or extends a pause that would end earlier. Returns whether it was not paused before. */
    pauseUntil({ destination, at, until }: RequestedPause): boolean {
      if (pauseUntil.run(destination, at, until).changes > 0) {
        return true;
      }
      // A pause with an end later than the maximum was stored by a clock that was ahead.
      prolong.run(until, destination, until, at + MAX_RETRY_AFTER_MS);
      return false;
    },
    /** Returns false if the destination has no pause with this end. */
    endPause: (name: string, until: number): boolean =>
      endPause.run(name, until).changes > 0,
    /** Returns false if that changes nothing. */
    setPaused(name: string, by: { at: number; by: string } | null): boolean {
      const { changes } =
        by === null ? resume.run(name) : pause.run(name, by.at, by.by);
      return changes > 0;
    },
  };
}

/** Counts deliveries by destination. The query jumps from one destination to the next in the partial index of the state. */
function countBy(db: Database, state: "pending" | "exhausted") {
  return db.prepare<[], { destination: string; count: number }>(
    `WITH RECURSIVE known (destination) AS (
       SELECT min(destination) FROM delivery WHERE state = '${state}'
       UNION ALL
       SELECT (SELECT min(destination) FROM delivery
               WHERE state = '${state}' AND delivery.destination > known.destination)
       FROM known WHERE known.destination IS NOT NULL)
     SELECT destination, (
       SELECT count(*) FROM (
         SELECT 1 FROM delivery WHERE delivery.destination = known.destination AND state = '${state}' LIMIT ${MAX_COUNT})
     ) AS count
     FROM known WHERE destination IS NOT NULL`,
  );
}
