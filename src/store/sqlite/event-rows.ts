import type { StoredEvent } from "../../domain/event.ts";
import type { Database } from "better-sqlite3";

interface EventRow {
  readonly seq: number;
  readonly source: string;
  readonly id: string;
  readonly type: string;
  readonly received_at: number;
  readonly content_type: string;
  readonly headers: string;
  readonly body: Buffer;
}

/** Stored events, whole. */
export function createEventRows(db: Database) {
  const bySeq = db.prepare<[number], EventRow>(
    `SELECT seq, source, id, type, received_at, content_type, headers, body FROM event WHERE seq = ?`,
  );
  return {
    /** The event of a delivery, which the foreign key vouches for. */
    bySeq(seq: number): StoredEvent {
      const row = bySeq.get(seq);
      if (row === undefined) {
        throw new Error(`there is no event ${seq}`);
      }
      const { received_at, content_type, ...same } = row;
      return { ...same, receivedAt: received_at, contentType: content_type };
    },
  };
}
