import { STATUS_KEEP_MS } from "../limits.ts";
import { parsePublished } from "../published-state.ts";
import type { ProcessStatus, PublishedState } from "../records.ts";
import { DATABASE_NOW } from "./database-clock.ts";
import type { Sql, Statement } from "./sql.ts";

/**
 * A process that makes deliveries counts as alive for this time after its last sign of life, in milliseconds. It publishes
 * its status more often.
 */
const ALIVE_MS = 10_000;

// Signs of life have the database's clock, because the clocks of the processes may differ.
const OPEN: Statement = {
  name: "open_process",
  text: `
    INSERT INTO process_status (writer, published_at, alive_until) VALUES ($1, $2, ${DATABASE_NOW} + ${ALIVE_MS})
    ON CONFLICT (writer) DO UPDATE SET alive_until = excluded.alive_until`,
};
const OTHERS: Statement = {
  name: "other_processes",
  text: `SELECT 1 FROM process_status WHERE writer <> $1 AND alive_until > ${DATABASE_NOW} LIMIT 1`,
};
const CLOSE: Statement = {
  name: "close_process",
  text: "UPDATE process_status SET alive_until = 0 WHERE writer = $1",
};
const PUBLISH: Statement = {
  name: "publish_status",
  text: `
    WITH old AS (DELETE FROM process_status WHERE published_at < $5 AND writer <> $1)
    INSERT INTO process_status (writer, published_at, destinations, service, alive_until)
    VALUES ($1, $2, $3, $6, CASE WHEN $4 THEN ${DATABASE_NOW} + ${ALIVE_MS} ELSE 0 END)
    ON CONFLICT (writer) DO UPDATE SET published_at = excluded.published_at, destinations = excluded.destinations,
      service = excluded.service, alive_until = excluded.alive_until`,
};
const ALL: Statement = {
  name: "process_statuses",
  text: `
    SELECT writer, published_at AS "publishedAt", destinations, service FROM process_status
    WHERE destinations IS NOT NULL ORDER BY published_at DESC`,
};

/** Returns the state that each process run published last, newest first. */
export async function readProcessStatuses(sql: Sql): Promise<ProcessStatus[]> {
  const rows = await sql.query<{
    writer: string;
    publishedAt: number;
    destinations: string;
    service: string | null;
  }>(ALL);
  return rows.map(({ writer, publishedAt, ...state }) => ({
    writer,
    publishedAt,
    ...parsePublished(state),
  }));
}

/** The status of this process. */
export interface OwnStatus {
  /**
   * Announces that this process makes deliveries. Returns whether no other process does: then all leases belong to dead
   * processes. Of two processes that start at once, both may find the other.
   */
  readonly open: () => Promise<boolean>;
  readonly publish: (state: PublishedState) => Promise<void>;
  /** Announces that this process makes no more deliveries. */
  readonly close: () => Promise<void>;
}

export function createOwnStatus(
  sql: Sql,
  deps: {
    readonly writer: string;
    /** Unix milliseconds. */
    readonly now: () => number;
    /** Whether this process makes deliveries. */
    readonly delivers: boolean;
  },
): OwnStatus {
  const { writer, now, delivers } = deps;
  return {
    async open() {
      // Written before the check, so that of two processes that start at once at least one finds the other.
      await sql.execute(OPEN, [writer, now()]);
      return (await sql.query(OTHERS, [writer])).length === 0;
    },
    async publish({ destinations, service }) {
      const at = now();
      await sql.execute(PUBLISH, [
        writer,
        at,
        JSON.stringify(destinations),
        delivers,
        at - STATUS_KEEP_MS,
        JSON.stringify(service),
      ]);
    },
    async close() {
      await sql.execute(CLOSE, [writer]);
    },
  };
}
