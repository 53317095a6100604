import type { ChainHead } from "../../audit/chain.ts";
import { TIMESTAMP_AT, TIMESTAMP_LENGTH } from "../../audit/entry.ts";
import { CLOCK_MARGIN_MS } from "../clock-margin.ts";
import type { AuditReader } from "../port.ts";
import type { StoredEntry } from "../records.ts";
import { dayOf } from "./days.ts";
import type { Sql } from "./sql.ts";
import { createTrailDays } from "./trail-days.ts";
import type { TrailGaps } from "./trail-gaps.ts";
import { createTrailSearch } from "./trail-search.ts";

/** The number of later days whose partitions a page is read from first. It includes those that are made ahead. */
const DAYS_AT_ONCE = 4;

interface Row extends StoredEntry {
  readonly day: number;
}

const COLUMNS = "position, day, writer, line";

/** Without a name, so that the planner sees the days and skips the other partitions. */
const PAGE = {
  name: "",
  text: `
SELECT ${COLUMNS} FROM audit_entry WHERE position > $1 AND day BETWEEN $3 AND $4 ORDER BY position LIMIT $2`,
};

/** The statements with a name read all partitions. */
const PAGE_OF_ALL = {
  name: "read-trail",
  text: `SELECT ${COLUMNS} FROM audit_entry WHERE position > $1 ORDER BY position LIMIT $2`,
};

const PAGE_OF_WRITER = {
  name: "read-trail-of-writer",
  text: `
SELECT position, writer, line FROM audit_entry WHERE writer = $3 AND position > $1 ORDER BY position LIMIT $2`,
};

const LAST = {
  name: "last-of-trail",
  text: "SELECT max(position) AS last FROM audit_entry",
};

/** The last position that a transaction has taken, whether or not it has committed. */
const LAST_TAKEN = {
  name: "last-position",
  text: "SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS last FROM audit_position",
};

const HEADS = {
  name: "heads-of-trail",
  text: "SELECT writer, seq, hash FROM audit_writer WHERE purged_seq < seq ORDER BY ordinal DESC",
};

const FIRST_AFTER_DAY = {
  name: "",
  text: "SELECT min(position) AS first FROM audit_entry WHERE day > $1",
};
const ENDS_OF_DAY = {
  name: "",
  text: "SELECT min(position) AS first, max(position) AS last FROM audit_entry WHERE day = $1",
};
const NEXT_OF_DAY = {
  name: "",
  text: `
SELECT position, substr(line, ${TIMESTAMP_AT + 1}, ${TIMESTAMP_LENGTH}) AS at
FROM audit_entry WHERE day = $1 AND position >= $2 ORDER BY position LIMIT 1`,
};

/** Reads the trail. `gaps` makes sure that a reader that follows the trail misses no entry. */
export function createAuditReader(sql: Sql, gaps: TrailGaps): AuditReader {
  const days = createTrailDays(sql);
  /** No entry with a position in this range exists. */
  let empty = { after: 0, upTo: 0 };

  async function lastTaken(): Promise<number> {
    const [row] = await sql.query<{ last: number }>(LAST_TAKEN);
    return row?.last ?? 0;
  }

  async function lastPosition(): Promise<number> {
    const [row] = await sql.query<{ last: number | null }>(LAST);
    return row?.last ?? 0;
  }

  /** Returns the rows, and remembers where the next read starts. */
  function found(rows: readonly Row[]): StoredEntry[] {
    const last = rows.at(-1);
    if (last !== undefined) {
      days.remember(last.position, last.day);
    }
    return rows.map(({ position, writer, line }) => ({
      position,
      writer,
      line,
    }));
  }

  /** Reads the page after a position, in the partitions of this day and later ones. */
  async function readFrom(
    day: number,
    position: number,
    limit: number,
  ): Promise<Row[]> {
    // An entry around midnight may have the day before, because clocks differ.
    const first = day - 1;
    const rows = await sql.query<Row>(PAGE, [
      position,
      limit,
      first,
      day + DAYS_AT_ONCE,
    ]);
    return rows.length < limit && day + DAYS_AT_ONCE < days.newest()
      ? sql.query<Row>(PAGE, [position, limit, first, days.newest()])
      : rows;
  }

  async function readAll(
    position: number,
    limit: number,
  ): Promise<StoredEntry[]> {
    const day = await days.after(position);
    const rows = await readFrom(day, position, limit);
    const dense = rows.filter((row, i) => row.position === position + 1 + i);
    if (rows.length > 0 && dense.length === rows.length) {
      return found(rows);
    }
    const last = rows.length === limit ? rows.at(-1) : undefined;
    const upTo = last?.position ?? (await lastTaken());
    if (upTo <= position || (position >= empty.after && upTo <= empty.upTo)) {
      return [];
    }
    if (!(await gaps.settle(upTo))) {
      return found(dense);
    }
    // The missing entries may have any day, because a clock was wrong.
    const all = await sql.query<Row>(PAGE_OF_ALL, [position, limit]);
    const settled = all.filter((row) => row.position <= upTo);
    if (settled.length === 0) {
      empty = { after: position, upTo };
    }
    return found(settled);
  }

  return {
    lastPosition: async () => {
      const last = await lastPosition();
      await gaps.settle(last);
      return last;
    },
    readAudit: async (position, limit, writer) =>
      writer === undefined
        ? readAll(position, limit)
        : sql.query<StoredEntry>(PAGE_OF_WRITER, [position, limit, writer]),
    heads: async () => sql.query<ChainHead>(HEADS),
    searchAudit: createTrailSearch(sql, { days, gaps, lastTaken }),
    async positionBefore(at) {
      const wanted = new Date(Math.max(0, at - CLOCK_MARGIN_MS));
      const day = dayOf(wanted.getTime());
      const [later] = await sql.query<{ first: number | null }>(
        FIRST_AFTER_DAY,
        [day],
      );
      const inDay = await firstSince(day, wanted.toISOString());
      const first = Math.min(later?.first ?? Infinity, inDay ?? Infinity);
      return first === Infinity ? await lastPosition() : first - 1;
    },
  };

  /** Returns the position of a day's first entry since a time, by binary search; null = there is none. */
  async function firstSince(
    day: number,
    wanted: string,
  ): Promise<number | null> {
    const [bounds] = await sql.query<{
      first: number | null;
      last: number | null;
    }>(ENDS_OF_DAY, [day]);
    let low = bounds?.first ?? 1;
    let high = bounds?.last ?? 0;
    let result: number | null = null;
    while (low <= high) {
      const middle = Math.floor((low + high) / 2);
      const [entry] = await sql.query<{ position: number; at: string }>(
        NEXT_OF_DAY,
        [day, middle],
      );
      if (entry === undefined || entry.at >= wanted) {
        result = entry?.position ?? result;
        high = middle - 1;
      } else {
        low = entry.position + 1;
      }
    }
    return result;
  }
}
