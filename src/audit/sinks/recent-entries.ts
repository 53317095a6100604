import type { Commit } from "../../store/port.ts";
import type { SinkRow } from "./sink.ts";
import type { ProgressStore } from "./sink-progress.ts";

/** When more than MAX_ROWS entries are in memory, only the newest ROWS_AFTER_TRIM stay. */
const MAX_ROWS = 1500;
const ROWS_AFTER_TRIM = 1000;

/** How often the store is read for entries of other processes, in milliseconds. */
const STORE_POLL_MS = 1000;

/** Keeps the newest entries of this process in memory, so that a sink without a backlog needs no query. */
export interface RecentEntries {
  /** The caller must call this after each commit. */
  readonly add: (entries: Commit["entries"]) => void;
  /** Creates a reader, one for each sink. It reads entries from memory, and those that are not there from the store. */
  readonly reader: () => Pick<ProgressStore, "readAudit">;
}

/** `now`: milliseconds of a monotonic clock. */
export function createRecentEntries(
  store: Pick<ProgressStore, "readAudit">,
  now: () => number,
): RecentEntries {
  /** Their positions are consecutive. */
  let rows: SinkRow[] = [];

  return {
    add(entries) {
      for (const entry of entries) {
        const last = rows.at(-1);
        if (last !== undefined && last.position !== entry.position - 1) {
          // Another process wrote entries between them.
          rows = [];
        }
        rows.push(entry);
      }
      if (rows.length > MAX_ROWS) {
        rows = rows.slice(-ROWS_AFTER_TRIM);
      }
    },
    reader() {
      let storeReadAt = Number.NEGATIVE_INFINITY;
      return {
        async readAudit(position, limit) {
          const first = rows[0]?.position ?? Number.POSITIVE_INFINITY;
          const index = position + 1 - first;
          if (index >= 0 && index < rows.length) {
            return rows.slice(index, index + limit);
          }
          if (index === rows.length && now() - storeReadAt < STORE_POLL_MS) {
            return [];
          }
          storeReadAt = now();
          return store.readAudit(position, limit);
        },
      };
    },
  };
}
