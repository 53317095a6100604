import type { Sql } from "./sql.ts";

/** A partition of a table. */
export interface Partition {
  readonly name: string;
  /** The first key that it takes: a day or a second; -1 = the kept events. */
  readonly from: number;
  /** Whether a `DETACH PARTITION … CONCURRENTLY` was interrupted. */
  readonly isDetaching: boolean;
}

const LIST = {
  name: "list-partitions",
  text: `
SELECT c.relname AS name, i.inhdetachpending AS "isDetaching",
  substring(pg_get_expr(c.relpartbound, c.oid) FROM 'FROM \\(''?(-?\\d+)''?\\)')::bigint AS from
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = $1::text::regclass
ORDER BY 3`,
};

/** Returns the range partitions of a table, lowest key first. */
export async function listPartitions(
  sql: Sql,
  table: string,
): Promise<Partition[]> {
  return sql.query<Partition>(LIST, [table]);
}

/** Returns the days of the partitions of a table, oldest first, without that of the kept events. */
export async function listDays(sql: Sql, table: string): Promise<number[]> {
  const partitions = await listPartitions(sql, table);
  return partitions.map(({ from }) => from).filter((day) => day >= 0);
}
