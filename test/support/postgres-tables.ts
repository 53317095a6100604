import { type Pool, createPool } from "../../src/store/postgres/pool.ts";
import type { PostgresUrl } from "../../src/store/url.ts";
import { cleanUp } from "./cleanup.ts";
import { createStoreDatabase, postgresUrl, runSql } from "./postgres.ts";

/** Creates a database with this program's tables, and a pool of connections to it. They are closed when the test ends. */
export async function createTables(
  poolSize = 4,
): Promise<{ url: string; target: PostgresUrl; pool: Pool }> {
  const url = await createStoreDatabase();
  const target = postgresUrl(url);
  const pool = createPool(target, poolSize);
  cleanUp(() => pool.close());
  return { url, target, pool };
}

/** Creates the partition of a day. */
export async function createDay(
  url: string,
  table: string,
  day: number,
): Promise<void> {
  await runSql(
    url,
    `CREATE TABLE IF NOT EXISTS ${table}_d${day} PARTITION OF ${table} FOR VALUES FROM (${day}) TO (${day + 1})`,
  );
}
