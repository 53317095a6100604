import type { EventScan } from "../records.ts";
import type { EventStatus } from "../../domain/event-status.ts";
import type { DeliveryStateName } from "../../domain/delivery.ts";
import { setImmediate as nextTurn } from "node:timers/promises";
import {
  createHeadFilter,
  deliveriesFit,
  deliveryStatus,
  isScanPast,
  SCAN_STEP,
} from "../event-scan.ts";
import type { EventReader } from "../port.ts";
import { createAttemptLog } from "./attempts.ts";
import { asBuffer, type Database, textAsBytes, textBytes } from "./driver.ts";
import { type EventNameRow, eventNameOf } from "./event-rows.ts";

interface HeadRow extends EventNameRow {
  readonly seq: number;
  readonly received_at: number;
  readonly body_bytes: number;
}

interface DetailRow extends HeadRow {
  readonly content_type: string;
  readonly headers: string;
  readonly body_sha256: Uint8Array;
}

interface DeliveryRow {
  readonly id: number;
  readonly destination: string;
  readonly state: DeliveryStateName;
  readonly attempt: number;
  readonly leased: number;
  readonly due_at: number;
}

const HEAD = `seq, source, ${textBytes("id")}, ${textBytes("type")}, received_at, length(body) AS body_bytes`;

/** Reads events with their deliveries, for operators. */
export function createEventReader(
  db: Database,
  now: () => number,
): EventReader {
  const attempts = createAttemptLog(db);
  const everyEvent = (compare: string, direction: string) =>
    db.prepare<[number, number], HeadRow>(
      `SELECT ${HEAD} FROM event WHERE seq ${compare} ? ORDER BY seq ${direction} LIMIT ?`,
    );
  // Operators search for these rare states most often. An index finds them without a scan of all events.
  const inState = (state: string, compare: string, direction: string) =>
    db.prepare<[number, number], HeadRow>(
      `SELECT ${HEAD} FROM event WHERE seq IN (
         SELECT DISTINCT event_seq FROM delivery WHERE state = '${state}' AND event_seq ${compare} ?
         ORDER BY event_seq ${direction} LIMIT ?)
       ORDER BY seq ${direction}`,
    );
  const selectIn = (compare: string, direction: string) => ({
    all: everyEvent(compare, direction),
    exhausted: inState("exhausted", compare, direction),
    discarded: inState("discarded", compare, direction),
  });
  const select = {
    newest: selectIn("<", "DESC"),
    oldest: selectIn(">", "ASC"),
  };
  const byId = db.prepare<[Buffer], DetailRow>(
    `SELECT ${HEAD}, content_type, headers, body_sha256 FROM event
     WHERE source IN (SELECT DISTINCT source FROM (${distinctSources()})) AND id = CAST(? AS TEXT)`,
  );
  const body = db.prepare<[number], { body: Uint8Array }>(
    "SELECT body FROM event WHERE seq = ?",
  );
  const deliveriesOf = db.prepare<[number], DeliveryRow>(
    "SELECT id, destination, state, attempt, leased, due_at FROM delivery WHERE event_seq = ? ORDER BY id",
  );

  const statusOf = (row: HeadRow): EventStatus => {
    const deliveries = deliveriesOf
      .all(row.seq)
      .map(({ due_at: dueAt, leased, ...same }) =>
        deliveryStatus({ ...same, dueAt, leased: leased === 1 }, now()),
      );
    return { ...headOf(row), deliveries };
  };

  return {
    scanEvents: async (scan: EventScan) => {
      const { filter, order, from, limit } = scan;
      // Each step runs in a separate turn of the event loop, so that a long scan does not delay other work.
      await nextTurn();
      const { state } = filter;
      const isRare = state === "exhausted" || state === "discarded";
      const statement = select[order][isRare ? state : "all"];
      const start = order === "newest" ? Number.MAX_SAFE_INTEGER : 0;
      const rows = statement.all(from ?? start, SCAN_STEP);
      const headFits = createHeadFilter(filter);
      const events: EventStatus[] = [];
      for (const row of rows) {
        const event = headFits(headOf(row)) ? statusOf(row) : null;
        if (event !== null && deliveriesFit(event.deliveries, filter)) {
          events.push(event);
          if (events.length === limit) {
            return { events, next: row.seq };
          }
        }
      }
      const last = rows.at(-1);
      const done =
        last === undefined ||
        rows.length < SCAN_STEP ||
        isScanPast(scan, rows.map(headOf));
      return { events, next: done ? null : last.seq };
    },
    findEvents: async (id) =>
      byId.all(textAsBytes(id)).map((row) => {
        const { deliveries, ...head } = statusOf(row);
        return {
          ...head,
          contentType: row.content_type,
          headers: JSON.parse(row.headers) as Record<string, string>,
          bodySha256: asBuffer(row.body_sha256).toString("hex"),
          deliveries: deliveries.map((delivery) => ({
            ...delivery,
            attempts: attempts.of(delivery.id),
          })),
        };
      }),
    readBody: async (seq) => {
      const row = body.get(seq);
      return row === undefined ? null : asBuffer(row.body);
    },
  };
}

function headOf(row: HeadRow): Omit<EventStatus, "deliveries"> {
  const { seq, received_at, body_bytes } = row;
  return {
    seq,
    ...eventNameOf(row),
    receivedAt: received_at,
    bodyBytes: body_bytes,
  };
}

/** Returns a query for all sources. It jumps from one source to the next in the index and does not scan all events. */
function distinctSources(): string {
  return `
    WITH RECURSIVE known (source) AS (
      SELECT min(source) FROM event
      UNION ALL
      SELECT (SELECT min(source) FROM event WHERE event.source > known.source) FROM known WHERE known.source IS NOT NULL)
    SELECT source FROM known WHERE source IS NOT NULL`;
}
