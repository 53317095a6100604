import { createHash } from "node:crypto";
import type { EventDigests } from "../port.ts";
import { asText, type Database, textAsBytes, textBytes } from "./driver.ts";

interface StoredBody {
  readonly seq: number;
  readonly received_at: number;
  readonly body: Uint8Array;
}

interface KeyRow {
  readonly seq: number;
  readonly source: string;
  readonly id: Uint8Array;
  readonly received_at: number;
}

/**
 * Reads the events that a verification compares with the trail. It computes each digest from the stored body, and does not
 * use the stored digest.
 */
export function createEventDigests(db: Database): EventDigests {
  const body = db.prepare<[string, Buffer], StoredBody>(
    "SELECT seq, received_at, body FROM event WHERE source = ? AND id = CAST(? AS TEXT)",
  );
  const keys = db.prepare<[number, number], KeyRow>(
    `SELECT seq, source, ${textBytes("id")}, received_at FROM event WHERE seq > ? ORDER BY seq LIMIT ?`,
  );
  return {
    digestEvents: async (wanted) =>
      wanted.map(({ source, id }) => {
        const row = body.get(source, textAsBytes(id));
        return row === undefined
          ? null
          : {
              seq: row.seq,
              receivedAt: row.received_at,
              bodySha256: createHash("sha256").update(row.body).digest("hex"),
            };
      }),
    listEvents: async (after, limit) =>
      keys.all(after, limit).map(({ seq, source, id, received_at }) => ({
        seq,
        source,
        id: asText(id),
        receivedAt: received_at,
      })),
  };
}
