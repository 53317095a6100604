import { type Database } from "better-sqlite3";
import { type ClaimedDelivery } from "../../core/model.ts";
import { type ClaimRequest, type Settlement } from "../../core/store.ts";

interface ClaimedRow {
  id: number;
  event_seq: number;
  attempt: number;
}

interface EventRow {
  seq: number;
  source: string;
  id: string;
  type: string;
  received_at: number;
  content_type: string;
  headers: string;
  body: Buffer;
}

/** The delivery rows: claims under a lease, settlements fenced by the attempt, releases. */
export function createDeliveryTable(db: Database) {
  const claim = db.prepare<[number, string, number, number], ClaimedRow>(
    `UPDATE delivery SET attempt = attempt + 1, leased = 1, due_at = ?
     WHERE id IN (
       SELECT id FROM delivery WHERE destination = ? AND state = 'pending' AND due_at <= ?
       ORDER BY due_at LIMIT ?)
     RETURNING id, event_seq, attempt`,
  );
  const readEvent = db.prepare<[number], EventRow>(
    `SELECT seq, source, id, type, received_at, content_type, headers, body FROM event WHERE seq = ?`,
  );
  const settle = db.prepare<[string, number | null, number, number]>(
    `UPDATE delivery SET state = ?, due_at = coalesce(?, due_at), leased = 0
     WHERE id = ? AND attempt = ? AND state = 'pending' AND leased = 1`,
  );
  const release = db.prepare<[number, number, number]>(
    `UPDATE delivery SET due_at = ?, leased = 0
     WHERE id = ? AND attempt = ? AND state = 'pending' AND leased = 1`,
  );
  const releaseAll = db.prepare<[number]>(
    "UPDATE delivery SET due_at = min(due_at, ?), leased = 0 WHERE state = 'pending' AND leased = 1",
  );
  const nextDueAt = db
    .prepare<[string], number | null>(
      "SELECT min(due_at) FROM delivery WHERE destination = ? AND state = 'pending'",
    )
    .pluck();

  return {
    claim({
      destination,
      now,
      limit,
      leaseUntil,
    }: ClaimRequest): ClaimedDelivery[] {
      return claim
        .all(leaseUntil, destination, now, limit)
        .sort((a, b) => a.id - b.id)
        .map(({ id, event_seq, attempt }) => {
          const row = readEvent.get(event_seq);
          if (row === undefined) {
            throw new Error(`delivery ${id} has no event`);
          }
          const { received_at, content_type, ...same } = row;
          return {
            id,
            destination,
            attempt,
            event: {
              ...same,
              receivedAt: received_at,
              contentType: content_type,
            },
          };
        });
    },
    /** False when the lease was lost. */
    settle({ deliveryId, attempt, next }: Settlement): boolean {
      const dueAt = next.state === "pending" ? next.dueAt : null;
      return settle.run(next.state, dueAt, deliveryId, attempt).changes === 1;
    },
    release(deliveryId: number, attempt: number, now: number): void {
      release.run(now, deliveryId, attempt);
    },
    /** Ends every lease: for a start that knows that nobody else is alive. */
    releaseAll(now: number): void {
      releaseAll.run(now);
    },
    nextDueAt(destination: string): number | null {
      return nextDueAt.get(destination) ?? null;
    },
  };
}
