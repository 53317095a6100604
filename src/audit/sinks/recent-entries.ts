import type { AuditReader, Commit } from "../../store/port.ts";
import type { SinkRow } from "./sink.ts";
import type { ProgressStore } from "./sink-progress.ts";

/** When more than MAX_ROWS entries are in memory, only the newest ROWS_AFTER_TRIM stay. */
const MAX_ROWS = 1500;
const ROWS_AFTER_TRIM = 1000;

/** How often the store is read for entries of other processes, in milliseconds. */
const STORE_POLL_MS = 1000;

type Reader = Pick<ProgressStore, "readAudit">;

/**
 * Keeps the newest entries of this process in memory, so that a sink without a backlog needs no query. Each sink needs its
 * own reader. Readers take entries from memory, and those that are not there from the store.
 */
export interface RecentEntries {
  /** The caller must call this after each commit. */
  readonly add: (entries: Commit["entries"]) => void;
  /** Creates a reader of the entries of all processes. */
  readonly reader: () => Reader;
  /** Creates a reader of the entries of this process. */
  readonly ownReader: () => Reader;
}

/** Must be created before the first entry that its readers return. */
export function createRecentEntries(
  store: Pick<AuditReader, "readAudit">,
  deps: {
    /** The id of this process run in the audit chain. */
    readonly writer: string;
    /** Milliseconds of a monotonic clock. */
    readonly monotonic: () => number;
  },
): RecentEntries {
  /** By position. Entries of other processes may be between them. */
  let rows: SinkRow[] = [];
  /** The position of the last entry of this process that is not in memory any more. */
  let trimmedTo = 0;

  const indexAfter = (position: number): number => {
    const index = rows.findIndex((row) => row.position > position);
    return index === -1 ? rows.length : index;
  };

  return {
    add(entries) {
      rows.push(...entries);
      if (rows.length > MAX_ROWS) {
        const cut = rows.length - ROWS_AFTER_TRIM;
        trimmedTo = rows[cut - 1]?.position ?? trimmedTo;
        rows = rows.slice(cut);
      }
    },
    reader() {
      let storeReadAt = Number.NEGATIVE_INFINITY;
      return {
        async readAudit(position, limit) {
          const index = indexAfter(position);
          // No entry of another process is between consecutive positions.
          const consecutive = rows
            .slice(index, index + limit)
            .filter((row, i) => row.position === position + 1 + i);
          if (consecutive.length > 0) {
            return consecutive;
          }
          const isAtEnd = rows.at(-1)?.position === position;
          if (isAtEnd && deps.monotonic() - storeReadAt < STORE_POLL_MS) {
            return [];
          }
          storeReadAt = deps.monotonic();
          return store.readAudit(position, limit);
        },
      };
    },
    ownReader: () => ({
      async readAudit(position, limit) {
        const index = indexAfter(position);
        return position < trimmedTo
          ? store.readAudit(position, limit, deps.writer)
          : rows.slice(index, index + limit);
      },
    }),
  };
}
