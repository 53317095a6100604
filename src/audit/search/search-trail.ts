import type { StoredEntry, AuditSearch } from "../../store/records.ts";
import {
  createEntryFilter,
  type EntryFilter,
  textsOf,
} from "./entry-filter.ts";
import { type ParsedEntry, parseEntry } from "../parsed-entry.ts";
import type { AuditReader } from "../../store/port.ts";

/** An entry that fits, with the line it was read from. */
export interface FoundEntry {
  readonly row: StoredEntry;
  readonly entry: ParsedEntry;
}

/** Looks through the trail for entries that fit a filter. */
export interface TrailSearch {
  /** One step of a search, which is short however large the trail is; `next` is null when there is no more. */
  readonly step: (at: {
    readonly order: AuditSearch["order"];
    readonly from: number | null;
    readonly limit: number;
  }) => Promise<{
    readonly found: readonly FoundEntry[];
    readonly next: number | null;
  }>;
  /** What fits of some rows. */
  readonly among: (rows: readonly StoredEntry[]) => FoundEntry[];
  /** No entry that fits lies before this position. */
  readonly begin: number;
}

/** A search for entries that fit; `since` is found in few steps, the rest by looking at every entry behind it. */
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
