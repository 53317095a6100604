import type { EventDigests } from "../port.ts";
import { createEventDays } from "./event-days.ts";
import { IS_STORED } from "./expired-days.ts";
import type { Sql } from "./sql.ts";

/** LIMIT 1 makes the planner look up each key. */
const PLACES = {
  name: "event-places",
  text: `
SELECT n, day, seq FROM unnest($1::text[], $2::bytea[]) WITH ORDINALITY AS wanted (source, id, n)
CROSS JOIN LATERAL (
  SELECT day, seq FROM event_id WHERE event_id.source = wanted.source AND event_id.id = wanted.id LIMIT 1) AS place
WHERE ${IS_STORED}`,
};

/** Without a name, so that the planner sees the days and skips the other partitions. */
const DIGESTS = {
  name: "",
  text: `
SELECT seq, source, id, received_at AS "receivedAt", encode(sha256(body), 'hex') AS "bodySha256"
FROM event WHERE day = ANY ($1) AND seq = ANY ($2)`,
};

const LIST = {
  name: "",
  text: `
SELECT seq, source, id, received_at AS "receivedAt" FROM event WHERE day = $1 AND seq > $2 ORDER BY seq LIMIT $3`,
};

interface KeyRow {
  readonly seq: number;
  readonly source: string;
  readonly id: Buffer;
  readonly receivedAt: number;
}

/**
 * Reads the events that a verification compares with the trail. It computes each digest from the stored body, and does not
 * use the stored digest.
 */
export function createEventDigests(sql: Sql): EventDigests {
  const eventDays = createEventDays(sql);
  return {
    async digestEvents(wanted) {
      const places = await sql.query<{ n: number; day: number; seq: number }>(
        PLACES,
        [
          wanted.map(({ source }) => source),
          wanted.map(({ id }) => Buffer.from(id)),
        ],
      );
      if (places.length === 0) {
        return wanted.map(() => null);
      }
      const rows = await sql.query<KeyRow & { bodySha256: string }>(DIGESTS, [
        [...new Set(places.map(({ day }) => day))],
        places.map(({ seq }) => seq),
      ]);
      const bySeq = new Map(rows.map((row) => [row.seq, row]));
      const seqOf = new Map(places.map(({ n, seq }) => [n - 1, seq]));
      return wanted.map(({ source, id }, n) => {
        const row = bySeq.get(seqOf.get(n) ?? 0);
        return row?.source !== source || row.id.toString() !== id
          ? null
          : {
              seq: row.seq,
              receivedAt: row.receivedAt,
              bodySha256: row.bodySha256,
            };
      });
    },
    async listEvents(after, limit) {
      const from = after < 1 ? null : after;
      const events: KeyRow[] = [];
      let first = from ?? 0;
      for (const day of await eventDays.rest("oldest", from)) {
        const rows = await sql.query<KeyRow>(LIST, [
          day,
          first,
          limit - events.length,
        ]);
        events.push(...rows);
        const last = rows.at(-1);
        if (events.length === limit && last !== undefined) {
          eventDays.remember(last.seq, day);
          break;
        }
        first = 0;
      }
      return events.map(({ id, ...event }) => ({
        ...event,
        id: id.toString(),
      }));
    },
  };
}
