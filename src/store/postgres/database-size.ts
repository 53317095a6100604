import type { StoreBytes } from "../records.ts";
import type { Sql, Statement } from "./sql.ts";

/** How long a size is returned again, in milliseconds. The server reads the size of each of the database's files. */
const KEEP_MS = 10_000;

const SIZE: Statement = {
  name: "database_size",
  text: "SELECT pg_database_size(current_database()) AS size",
};

/** Returns a function that reads the size of the database. `monotonic`: milliseconds. */
export function createDatabaseSize(
  sql: Sql,
  monotonic: () => number,
): () => Promise<StoreBytes> {
  let last: { readonly at: number; readonly bytes: StoreBytes } | null = null;
  return async () => {
    const at = monotonic();
    if (last === null || at - last.at >= KEEP_MS) {
      const [row] = await sql.query<{ size: number }>(SIZE);
      last = { at, bytes: { database: row?.size ?? 0, log: null, free: null } };
    }
    return last.bytes;
  };
}
