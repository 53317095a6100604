import type { StoredEntry, AuditSearch } from "../records.ts";
import type { Database } from "./driver.ts";
import type { ChainHead } from "../../audit/chain.ts";
import { TIMESTAMP_AT, TIMESTAMP_LENGTH } from "../../audit/entry.ts";
import type { AuditReader } from "../port.ts";
import { CLOCK_MARGIN_MS } from "../clock-margin.ts";

/** The maximum number of entries that one step of a search examines: a few milliseconds. */
const SEARCH_STEP = 2000;

/** Reads the trail. The caller that opened the database closes it. */
export function createAuditReader(db: Database): AuditReader {
  const rows = db.prepare<[number, number], StoredEntry>(
    "SELECT position, writer, line FROM audit_entry WHERE position > ? ORDER BY position LIMIT ?",
  );
  const rowsOfWriter = db.prepare<[string, number, number], StoredEntry>(
    "SELECT position, writer, line FROM audit_entry WHERE writer = ? AND position > ? ORDER BY position LIMIT ?",
  );
  const heads = db.prepare<[], ChainHead>(
    "SELECT writer, seq, hash FROM audit_writer WHERE purged_seq < seq ORDER BY ordinal DESC",
  );
  const ends = db.prepare<[], { first: number | null; last: number | null }>(
    `SELECT (SELECT min(position) FROM audit_entry) AS first, (SELECT max(position) FROM audit_entry) AS last`,
  );
  const search = {
    oldest: searchIn(db, "ASC"),
    newest: searchIn(db, "DESC"),
  };
  const next = db.prepare<[number], { position: number; at: string }>(
    `SELECT position, substr(line, ${TIMESTAMP_AT + 1}, ${TIMESTAMP_LENGTH}) AS at
     FROM audit_entry WHERE position >= ? ORDER BY position LIMIT 1`,
  );

  function bounds(): { first: number; last: number } {
    const found = ends.get();
    return { first: found?.first ?? 0, last: found?.last ?? 0 };
  }

  return {
    lastPosition: async () => bounds().last,
    readAudit: async (position, limit, writer) =>
      writer === undefined
        ? rows.all(position, limit)
        : rowsOfWriter.all(writer, position, limit),
    heads: async () => heads.all(),
    async searchAudit({ order, from, limit, containing }: AuditSearch) {
      const { first, last } = bounds();
      const newest = order === "newest";
      // The search covers only positions that are still stored.
      const low = newest ? 0 : Math.max((from ?? 0) + 1, first);
      const high = newest ? Math.min((from ?? Infinity) - 1, last) : 0;
      const [begin, end] = newest
        ? [Math.max(high - SEARCH_STEP + 1, first), high]
        : [low, Math.min(low + SEARCH_STEP - 1, last)];
      const [a = "", b = "", c = "", d = ""] = containing;
      const found = search[order].all(begin, end, a, b, c, d, limit);
      const edge = newest ? begin : end;
      const furthest =
        found.length === limit ? (found.at(-1)?.position ?? edge) : edge;
      const hasMore = newest ? furthest > first : furthest < last;
      return { rows: found, next: hasMore && begin <= end ? furthest : null };
    },
    async positionBefore(at) {
      const wanted = new Date(Math.max(0, at - CLOCK_MARGIN_MS)).toISOString();
      let { first: low, last: high } = bounds();
      // Invariant: the wanted entry, if any, is at a position from `low` to `high` + 1.
      while (low <= high) {
        const middle = Math.floor((low + high) / 2);
        const entry = next.get(middle);
        if (entry === undefined || entry.at >= wanted) {
          high = middle - 1;
        } else {
          low = entry.position + 1;
        }
      }
      return Math.max(0, low - 1);
    },
  };
}

function searchIn(db: Database, direction: "ASC" | "DESC") {
  return db.prepare<
    [number, number, string, string, string, string, number],
    StoredEntry
  >(
    `SELECT position, writer, line FROM audit_entry
     WHERE position BETWEEN ? AND ?
       AND instr(line, ?) > 0 AND instr(line, ?) > 0 AND instr(line, ?) > 0 AND instr(line, ?) > 0
     ORDER BY position ${direction} LIMIT ?`,
  );
}
