import type { StoredEntry, AuditSearch } from "../../store/records.ts";
import {
  createEntryFilter,
  type EntryFilter,
  textsOf,
} from "./entry-filter.ts";
import { type ParsedEntry, parseEntry } from "../parsed-entry.ts";
import type { AuditReader } from "../../store/port.ts";

/** A matching entry, with the line it was read from. */
export interface FoundEntry {
  readonly row: StoredEntry;
  readonly entry: ParsedEntry;
}

/** Searches the trail for entries that match a filter. */
export interface TrailSearch {
  /** Makes one step of a search. Its time does not depend on the size of the trail. `next`: null = the search is complete. */
  readonly step: (at: {
    readonly order: AuditSearch["order"];
    readonly from: number | null;
    readonly limit: number;
  }) => Promise<{
    readonly found: readonly FoundEntry[];
    readonly next: number | null;
  }>;
  /** Returns the matching entries among some rows. */
  readonly among: (rows: readonly StoredEntry[]) => FoundEntry[];
  /** All matching entries are after this position. */
  readonly begin: number;
}

/** Creates a search. It finds the position of `since` in a few steps, then reads every entry after it. */
export async function createTrailSearch(
  store: Pick<AuditReader, "searchAudit" | "positionBefore">,
  filter: EntryFilter,
): Promise<TrailSearch> {
  const matches = createEntryFilter(filter);
  const containing = textsOf(filter);
  const { since } = filter;
  const begin = since === undefined ? 0 : await store.positionBefore(since);

  function among(rows: readonly StoredEntry[]): FoundEntry[] {
    return rows.flatMap((row) => {
      const entry = parseEntry(row.line);
      return entry !== null && matches(entry) ? { row, entry } : [];
    });
  }

  return {
    begin,
    among,
    async step({ order, from, limit }) {
      const { rows, next } = await store.searchAudit({
        order,
        from: order === "oldest" ? Math.max(from ?? 0, begin) : from,
        limit,
        containing,
      });
      const end = order === "newest" && next !== null && next <= begin;
      return {
        found: among(rows.filter(({ position }) => position > begin)),
        next: end ? null : next,
      };
    },
  };
}
