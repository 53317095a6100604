import type { PurgeRequest } from "../records.ts";
import type { Database } from "./driver.ts";
import type { ReplayClaims } from "./replay-claims.ts";
import type { AuditDraft } from "../../audit/entry.ts";
import { eventsPurged } from "../../audit/retention-entries.ts";
import type { EventStore } from "../port.ts";

/**
 * The limits of one step: the number of events to examine, and the bytes of bodies after which the step ends. A step takes a
 * few milliseconds.
 */
const STEP = 200;
const MAX_BYTES = 2_097_152;

interface OldRow {
  readonly seq: number;
  readonly received_at: number;
  readonly body_bytes: number;
  readonly undelivered: number;
}

/** Deletes old events with their deliveries and attempts, inside the caller's transaction. */
export function createPurger(
  db: Database,
  deps: {
    claims: Pick<ReplayClaims, "forgetTimeless">;
    append: (entry: AuditDraft) => void;
    checkpoint: () => void;
  },
) {
  // The newest event and the newest delivery stay. Otherwise their numbers would be assigned again.
  const rows = db.prepare<[number, number], OldRow>(
    `SELECT seq, received_at, length(body) AS body_bytes,
       EXISTS (SELECT 1 FROM delivery WHERE event_seq = seq AND state = 'pending') AS undelivered
     FROM event
     WHERE seq > ? AND seq < (SELECT max(seq) FROM event)
       AND seq IS NOT (SELECT event_seq FROM delivery ORDER BY id DESC LIMIT 1)
     ORDER BY seq LIMIT ?`,
  );
  const attempts = db.prepare<[number]>(
    "DELETE FROM attempt WHERE delivery_id IN (SELECT id FROM delivery WHERE event_seq = ?)",
  );
  const deliveries = db.prepare<[number]>(
    "DELETE FROM delivery WHERE event_seq = ?",
  );
  const event = db.prepare<[number]>("DELETE FROM event WHERE seq = ?");

  return ({
    now,
    receivedBefore,
    from,
  }: PurgeRequest): Awaited<ReturnType<EventStore["purge"]>> => {
    const found = rows.all(from ?? 0, STEP);
    const purged = { events: 0, deliveries: 0, attempts: 0 };
    let bytes = 0;
    let last = from;
    for (const row of found) {
      last = row.seq;
      if (row.received_at >= receivedBefore || row.undelivered === 1) {
        continue;
      }
      purged.attempts += attempts.run(row.seq).changes;
      purged.deliveries += deliveries.run(row.seq).changes;
      purged.events += event.run(row.seq).changes;
      bytes += row.body_bytes;
      if (bytes > MAX_BYTES) {
        break;
      }
    }
    // A replay claim without a signed time is remembered as long as its event.
    deps.claims.forgetTimeless(receivedBefore, STEP);
    if (purged.events > 0) {
      deps.append(eventsPurged(purged, { at: now, receivedBefore }));
      // A verification accepts the deletion only when the entry is signed.
      deps.checkpoint();
    }
    // Events are in order of time, except those with a time in the future, which a wrong clock stored.
    const areAllYoung = found.every(
      ({ received_at }) => received_at >= receivedBefore,
    );
    const hasValidTime = found.some(({ received_at }) => received_at <= now);
    const isDone = found.length === 0 || (areAllYoung && hasValidTime);
    return { purged, next: isDone ? null : last };
  };
}
