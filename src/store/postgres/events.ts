import type { AttemptRecord } from "../../domain/delivery.ts";
import type { EventDetail, EventStatus } from "../../domain/event-status.ts";
import {
  createHeadFilter,
  deliveriesFit,
  isScanPast,
  SCAN_STEP,
} from "../event-scan.ts";
import type { EventReader } from "../port.ts";
import type { EventScan } from "../records.ts";
import { createEventDays } from "./event-days.ts";
import { IS_STORED } from "./expired-days.ts";
import { readDeliveries } from "./event-deliveries.ts";
import type { Sql, Statement } from "./sql.ts";

interface HeadRow {
  readonly day: number;
  readonly seq: number;
  readonly source: string;
  readonly id: Buffer;
  readonly type: Buffer;
  readonly receivedAt: number;
  readonly bodyBytes: number;
}

interface DetailRow extends HeadRow {
  readonly contentType: string;
  readonly headers: string;
  readonly bodySha256: string;
}

interface AttemptRow extends AttemptRecord {
  readonly deliveryId: number;
}

const HEAD = `day, seq, source, id, type, received_at AS "receivedAt", octet_length(body) AS "bodyBytes"`;

/* The statements without a name are planned for their day, so that the planner skips the other partitions. */

const DIRECTIONS = {
  newest: { compare: "<", direction: "DESC" },
  oldest: { compare: ">", direction: "ASC" },
} as const;

/** Parameters: day, number, limit. `among`: only these events of the day. */
function scanStatement(order: EventScan["order"], among = ""): Statement {
  const { compare, direction } = DIRECTIONS[order];
  return {
    name: "",
    text: `
SELECT ${HEAD} FROM event WHERE day = $1 AND seq ${compare} $2 ${among} ORDER BY seq ${direction} LIMIT $3`,
  };
}

/** Operators search for these states most often. An index finds them without a scan of all events. */
function stateStatement(
  order: EventScan["order"],
  state: "pending" | "exhausted" | "discarded",
): Statement {
  const { compare, direction } = DIRECTIONS[order];
  const table =
    state === "pending"
      ? "pending_delivery WHERE"
      : `ended_delivery WHERE state = '${state}' AND`;
  return scanStatement(
    order,
    `AND seq IN (
       SELECT DISTINCT event_seq FROM ${table} day = $1 AND event_seq ${compare} $2
       ORDER BY event_seq ${direction} LIMIT $3)`,
  );
}

/** LIMIT 1 makes the planner look up the id of each source. */
const BY_ID = {
  name: "event-places-by-id",
  text: `
WITH RECURSIVE known (source) AS (
  SELECT min(source) FROM event_id
  UNION ALL
  SELECT (SELECT min(source) FROM event_id WHERE event_id.source > known.source) FROM known WHERE known.source IS NOT NULL)
SELECT day, seq FROM known CROSS JOIN LATERAL (
  SELECT day, seq FROM event_id WHERE event_id.source = known.source AND event_id.id = $1 LIMIT 1) AS place
WHERE ${IS_STORED} ORDER BY seq`,
};

const DETAIL = {
  name: "",
  text: `
SELECT ${HEAD}, content_type AS "contentType", headers, encode(body_sha256, 'hex') AS "bodySha256"
FROM event WHERE day = $1 AND seq = $2`,
};

const ATTEMPTS = {
  name: "",
  text: `
SELECT delivery_id AS "deliveryId", attempt, started_at AS "startedAt", ended_at AS "endedAt", ok, status, reason, detail
FROM attempt WHERE day = $1 AND delivery_id = ANY ($2) ORDER BY attempt`,
};

const BODY = {
  name: "event-body",
  text: `SELECT body FROM event WHERE seq = $1 AND ${IS_STORED}`,
};

/** Reads events with their deliveries, for operators. `now`: unix milliseconds, by the clock of due times. */
export function createEventReader(sql: Sql, now: () => number): EventReader {
  const days = createEventDays(sql);

  /** Adds the deliveries to the events of one day. */
  async function withDeliveries(
    day: number,
    heads: readonly Omit<EventStatus, "deliveries">[],
  ): Promise<EventStatus[]> {
    const seqs = heads.map(({ seq }) => seq);
    const deliveries = await readDeliveries(sql, day, seqs, now());
    return heads.map((head) => ({
      ...head,
      deliveries: deliveries.get(head.seq) ?? [],
    }));
  }

  async function detailOf(row: DetailRow): Promise<EventDetail[]> {
    const [event] = await withDeliveries(row.day, [headOf(row)]);
    if (event === undefined) {
      return [];
    }
    const attempts = await sql.query<AttemptRow>(ATTEMPTS, [
      row.day,
      event.deliveries.map(({ id }) => id),
    ]);
    const { contentType, bodySha256 } = row;
    return [
      {
        ...event,
        contentType,
        bodySha256,
        headers: JSON.parse(row.headers) as Record<string, string>,
        deliveries: event.deliveries.map((delivery) => ({
          ...delivery,
          attempts: attempts
            .filter(({ deliveryId }) => deliveryId === delivery.id)
            .map(attemptOf),
        })),
      },
    ];
  }

  return {
    async scanEvents(scan) {
      const { filter, order, from, limit } = scan;
      const { state } = filter;
      const statement =
        state === null || state === "succeeded"
          ? scanStatement(order)
          : stateStatement(order, state);
      const headFits = createHeadFilter(filter);
      const beginning = order === "newest" ? Number.MAX_SAFE_INTEGER : 0;
      const events: EventStatus[] = [];
      let after = from ?? beginning;
      let examined = 0;
      for (const day of await days.rest(order, from)) {
        const step = SCAN_STEP - examined;
        const rows = await sql.query<HeadRow>(statement, [day, after, step]);
        const heads = rows.map(headOf);
        for (const event of await withDeliveries(day, heads.filter(headFits))) {
          if (deliveriesFit(event.deliveries, filter)) {
            events.push(event);
            if (events.length === limit) {
              days.remember(event.seq, day);
              return { events, next: event.seq };
            }
          }
        }
        if (rows.length > 0 && isScanPast(scan, heads)) {
          break;
        }
        examined += rows.length;
        const last = rows.at(-1);
        if (examined === SCAN_STEP && last !== undefined) {
          days.remember(last.seq, day);
          return { events, next: last.seq };
        }
        after = beginning;
      }
      return { events, next: null };
    },
    async findEvents(id) {
      const places = await sql.query<{ day: number; seq: number }>(BY_ID, [
        Buffer.from(id),
      ]);
      const found: EventDetail[] = [];
      for (const { day, seq } of places) {
        const rows = await sql.query<DetailRow>(DETAIL, [day, seq]);
        for (const row of rows) {
          found.push(...(await detailOf(row)));
        }
      }
      return found;
    },
    async readBody(seq) {
      const [row] = await sql.query<{ body: Buffer }>(BODY, [seq]);
      return row?.body ?? null;
    },
  };
}

function headOf(row: HeadRow): Omit<EventStatus, "deliveries"> {
  const { seq, source, receivedAt, bodyBytes } = row;
  return {
    seq,
    source,
    id: row.id.toString(),
    type: row.type.toString(),
    receivedAt,
    bodyBytes,
  };
}

function attemptOf(row: AttemptRow): AttemptRecord {
  const { attempt, startedAt, endedAt, ok, status, reason, detail } = row;
  return { attempt, startedAt, endedAt, ok, status, reason, detail };
}
