import type { Commit } from "../../store/port.ts";
import type { SinkRow } from "./sink.ts";
import type { ProgressStore } from "./sink-progress.ts";

/** Above so many entries in memory, only the newest are kept. */
const MAX_ROWS = 1500;
const ROWS_AFTER_TRIM = 1000;

/** How often the store is asked for entries of other processes, in milliseconds. */
const STORE_POLL_MS = 1000;

/** The newest entries of this process, so that a sink which keeps up has them without a query. */
export interface RecentEntries {
  /** To be called after each commit. */
  readonly add: (entries: Commit["entries"]) => void;
  /** Reads the trail from memory where that has it, else from the store. One for each sink. */
  readonly reader: () => Pick<ProgressStore, "readAudit">;
}

/** `now`: milliseconds of a monotonic clock. */
export function createRecentEntries(
  store: Pick<ProgressStore, "readAudit">,
  now: () => number,
): RecentEntries {
  /** Their positions follow each other. */
  let rows: SinkRow[] = [];

  return {
    add({ position, lines }) {
      const last = rows.at(-1);
      if (last !== undefined && last.position !== position - 1) {
        // Another process wrote entries between them.
        rows = [];
      }
      for (const [i, line] of lines.entries()) {
        rows.push({ position: position + i, line });
      }
      if (rows.length > MAX_ROWS) {
        rows = rows.slice(-ROWS_AFTER_TRIM);
      }
    },
    reader() {
      let askedAt = Number.NEGATIVE_INFINITY;
      return {
        async readAudit(position, limit) {
          const first = rows[0]?.position ?? Number.POSITIVE_INFINITY;
          const index = position + 1 - first;
          if (index >= 0 && index < rows.length) {
            return rows.slice(index, index + limit);
          }
          if (index === rows.length && now() - askedAt < STORE_POLL_MS) {
            return [];
          }
          askedAt = now();
          return store.readAudit(position, limit);
        },
      };
    },
  };
}
