import type { StoredEvent } from "../../domain/event.ts";
import { asBuffer, asText, type Database, textBytes } from "./driver.ts";

/** The columns that name an event, with text as bytes. */
export interface EventNameRow {
  readonly source: string;
  readonly id: Uint8Array;
  readonly type: Uint8Array;
}

export function eventNameOf({
  source,
  id,
  type,
}: EventNameRow): Pick<StoredEvent, "source" | "id" | "type"> {
  return { source, id: asText(id), type: asText(type) };
}

interface EventRow extends EventNameRow {
  readonly seq: number;
  readonly received_at: number;
  readonly content_type: string;
  readonly headers: string;
  readonly body: Uint8Array;
}

/** Reads complete events. */
export function createEventRows(db: Database) {
  const bySeq = db.prepare<[number], EventRow>(
    `SELECT seq, source, ${textBytes("id")}, ${textBytes("type")}, received_at, content_type, headers, body FROM event WHERE seq = ?`,
  );
  return {
    /** Returns the event of a delivery. The foreign key guarantees that it exists. */
    bySeq(seq: number): StoredEvent {
      const row = bySeq.get(seq);
      if (row === undefined) {
        throw new Error(`there is no event ${seq}`);
      }
      return {
        seq: row.seq,
        ...eventNameOf(row),
        receivedAt: row.received_at,
        contentType: row.content_type,
        headers: row.headers,
        body: asBuffer(row.body),
      };
    },
  };
}
