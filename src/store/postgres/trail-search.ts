import type { AuditReader } from "../port.ts";
import type { AuditSearch, StoredEntry } from "../records.ts";
import type { Sql, Statement } from "./sql.ts";
import type { TrailDays } from "./trail-days.ts";
import type { TrailGaps } from "./trail-gaps.ts";

/** The maximum number of entries that one step examines: a few milliseconds. */
const STEP = 2000;

/** How long the position of the oldest entry is remembered, in milliseconds. Only the retention changes it. */
const FIRST_KNOWN_MS = 60_000;

/** The statements with a name read all partitions. */
const FIRST = {
  name: "first-of-trail",
  text: "SELECT min(position) AS first FROM audit_entry",
};

/** Without a name, so that the planner sees the days and skips the other partitions. */
const COUNT = {
  name: "",
  text: "SELECT count(*) AS count FROM audit_entry WHERE position BETWEEN $1 AND $2 AND day BETWEEN $3 AND $4",
};

const search = (order: AuditSearch["order"], days = ""): Statement => ({
  name: days === "" ? `search-trail-${order}` : "",
  text: `
SELECT position, writer, line FROM audit_entry
WHERE position BETWEEN $1 AND $2
  AND strpos(line, $3) > 0 AND strpos(line, $4) > 0 AND strpos(line, $5) > 0 AND strpos(line, $6) > 0 ${days}
ORDER BY position ${order === "newest" ? "DESC" : "ASC"} LIMIT $7`,
});

/** Searches the trail. `lastTaken`: returns the last position that a transaction has taken. */
export function createTrailSearch(
  sql: Sql,
  deps: {
    readonly days: Pick<TrailDays, "after">;
    readonly gaps: TrailGaps;
    readonly lastTaken: () => Promise<number>;
  },
): AuditReader["searchAudit"] {
  const { days, gaps, lastTaken } = deps;
  let oldest = { position: 0, readAt: Number.NEGATIVE_INFINITY };

  async function firstPosition(): Promise<number> {
    if (performance.now() - oldest.readAt > FIRST_KNOWN_MS) {
      const [row] = await sql.query<{ first: number | null }>(FIRST);
      oldest = { position: row?.first ?? 0, readAt: performance.now() };
    }
    return oldest.position;
  }

  async function searchRange(
    [begin, end]: readonly [number, number],
    { order, containing, limit }: AuditSearch,
  ): Promise<StoredEntry[]> {
    const [a = "", b = "", c = "", d = ""] = containing;
    const values = [begin, end, a, b, c, d, limit];
    // An entry around midnight may have the day before or after, because clocks differ.
    const first = (await days.after(begin - 1)) - 1;
    const last = (await days.after(end)) + 1;
    const [found] = await sql.query<{ count: number }>(COUNT, [
      begin,
      end,
      first,
      last,
    ]);
    // If entries are missing there, they may have any day, because a clock was wrong.
    return found?.count === end - begin + 1
      ? sql.query(search(order, "AND day BETWEEN $8 AND $9"), [
          ...values,
          first,
          last,
        ])
      : sql.query(search(order), values);
  }

  return async (request) => {
    const { order, from, limit } = request;
    const first = await firstPosition();
    const last = await lastTaken();
    const newest = order === "newest";
    // The search covers only positions that are still stored.
    const low = newest ? 0 : Math.max((from ?? 0) + 1, first);
    const high = newest ? Math.min((from ?? Infinity) - 1, last) : 0;
    const [begin, end] = newest
      ? [Math.max(high - STEP + 1, first), high]
      : [low, Math.min(low + STEP - 1, last)];
    if (begin > end) {
      return { rows: [], next: null };
    }
    if (!newest) {
      // The caller may follow the trail from here.
      await gaps.settle(end);
    }
    const rows = await searchRange([begin, end], request);
    const edge = newest ? begin : end;
    const furthest =
      rows.length === limit ? (rows.at(-1)?.position ?? edge) : edge;
    const hasMore = newest ? furthest > first : furthest < last;
    return { rows, next: hasMore ? furthest : null };
  };
}
