import type { PostgresUrl } from "../url.ts";
import { type Connection, connect } from "./connection.ts";
import { listPartitions } from "./partition-list.ts";

/** The maximum time of one of these statements, in milliseconds. They wait for the transactions that use the table. */
const DROP_DEADLINE_MS = 4000;

/** Runs work on a separate connection, whose statements may take DROP_DEADLINE_MS. */
export type RunAlone = <T>(
  work: (connection: Connection) => Promise<T>,
) => Promise<T>;

export function runAlone(
  url: PostgresUrl,
  deadlineMs = DROP_DEADLINE_MS,
): RunAlone {
  return async (work) => {
    const connection = await connect(url, { deadlineMs });
    try {
      return await work(connection);
    } finally {
      await connection.close();
    }
  };
}

/**
 * How long the renaming may wait for transactions that read the partition, in milliseconds. While it waits, the claims of
 * deliveries wait for it. If it fails, the next purge tries again.
 */
const RENAME_WAIT_MS = 100;

/**
 * The name of a partition from the moment when it is to be dropped. So a partition with the same key can be created again
 * meanwhile.
 */
export const droppedName = (table: string, key: number): string =>
  `${table}_x${key}`;

/**
 * Detaches the partition with this key, if any, without a lock that other statements wait for. It finishes what was
 * interrupted before. Then the partition is a table with the name `droppedName`.
 */
export async function detachPartition(
  sql: Connection,
  table: string,
  key: number,
): Promise<void> {
  const partitions = await listPartitions(sql, table);
  // At most one partition of a table can be in this state.
  for (const { name } of partitions.filter(({ isDetaching }) => isDetaching)) {
    await sql.command(`ALTER TABLE ${table} DETACH PARTITION ${name} FINALIZE`);
  }
  const partition = partitions.find(
    ({ from, isDetaching }) => from === key && !isDetaching,
  );
  if (partition !== undefined) {
    const name = droppedName(table, key);
    if (partition.name !== name) {
      await sql.command(
        `SET LOCAL lock_timeout = ${RENAME_WAIT_MS}; ALTER TABLE ${partition.name} RENAME TO ${name}`,
      );
    }
    await sql.command(
      `ALTER TABLE ${table} DETACH PARTITION ${name} CONCURRENTLY`,
    );
  }
}

export async function dropDetached(
  sql: Connection,
  table: string,
  key: number,
): Promise<void> {
  await sql.command(`DROP TABLE IF EXISTS ${droppedName(table, key)}`);
}
