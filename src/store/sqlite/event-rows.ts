import type { StoredEvent } from "../../domain/event.ts";
import { asBuffer, asText, type Database, textBytes } from "./driver.ts";

interface EventRow {
  readonly seq: number;
  readonly source: string;
  readonly id: Uint8Array;
  readonly type: Uint8Array;
  readonly received_at: number;
  readonly content_type: string;
  readonly headers: string;
  readonly body: Uint8Array;
}

/** Stored events, whole. */
export function createEventRows(db: Database) {
  const bySeq = db.prepare<[number], EventRow>(
    `SELECT seq, source, ${textBytes("id")}, ${textBytes("type")}, received_at, content_type, headers, body FROM event WHERE seq = ?`,
  );
  return {
    /** The event of a delivery, which the foreign key vouches for. */
    bySeq(seq: number): StoredEvent {
      const row = bySeq.get(seq);
      if (row === undefined) {
        throw new Error(`there is no event ${seq}`);
      }
      return {
        seq: row.seq,
        source: row.source,
        id: asText(row.id),
        type: asText(row.type),
        receivedAt: row.received_at,
        contentType: row.content_type,
        headers: row.headers,
        body: asBuffer(row.body),
      };
    },
  };
}
