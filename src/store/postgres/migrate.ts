import type { PostgresUrl } from "../url.ts";
import { connect, type Connection } from "./connection.ts";
import { MIGRATION_LOCK } from "./advisory-locks.ts";
import { inTransaction } from "./pool.ts";
import {
  CREATE_VERSION_TABLE,
  LATEST,
  MIGRATIONS,
  readVersion,
} from "./schema-version.ts";
import { requireUsableServer } from "./server-check.ts";
import { named } from "./store-error.ts";

/** How long one migration may take, or the wait for a migration by another process, in milliseconds. */
const MIGRATION_MS = 600_000;

const lock = {
  name: "",
  text: "SELECT pg_advisory_lock($1, $2)",
};

const insertVersion = {
  name: "",
  text: "INSERT INTO schema_version (application, version) VALUES ('hexhook', $1)",
};

/**
 * Checks the server and brings the schema up to date. Several processes may start at once: one migrates, the others wait.
 *
 * Processes of the older version may still run. They keep working, because a migration only adds: tables, columns with a
 * default, indexes. What the older version reads or writes may be removed only by a later version, after no process of the
 * older one can run. A process of the older version that starts later is refused, because the schema is newer than it.
 *
 * Returns the schema versions before and after. Throws StoreError.
 */
export async function migratePostgres(
  url: PostgresUrl,
): Promise<{ from: number; to: number }> {
  await requireUsableServer(url);
  const connection = await connect(url, { deadlineMs: MIGRATION_MS });
  try {
    return await named(url, async () => {
      const from = await readVersion(connection);
      if (from < LATEST) {
        await connection.query(lock, MIGRATION_LOCK);
        // Another process may have migrated meanwhile. The lock ends with the connection.
        await applyMigrations(connection, await readVersion(connection));
      }
      return { from, to: LATEST };
    });
  } finally {
    await connection.close();
  }
}

/** Runs the migrations after a version, each in a transaction that also writes its version. */
async function applyMigrations(
  connection: Connection,
  from: number,
): Promise<void> {
  for (const { version, read } of MIGRATIONS) {
    if (version > from) {
      await inTransaction(connection, async (sql) => {
        await connection.command(CREATE_VERSION_TABLE);
        await connection.command(read());
        await sql.execute(insertVersion, [version]);
      });
    }
  }
}

/** Whether the database has this program's tables. Throws StoreError like `migratePostgres`. */
export async function postgresStoreExists(url: PostgresUrl): Promise<boolean> {
  const connection = await connect(url);
  try {
    return await named(url, async () => (await readVersion(connection)) > 0);
  } finally {
    await connection.close();
  }
}
