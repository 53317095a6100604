import { PROGRAM_FOLDER } from "../../program-folder.ts";
import { listMigrations } from "../migration-files.ts";
import { schemaTooNew, schemaTooOld } from "../schema-errors.ts";
import type { Sql } from "./sql.ts";
import { storeError } from "./store-error.ts";

/** The statements that make the schema. A migration stays as it is once it has been released. */
export const MIGRATIONS = listMigrations(
  new URL("store/postgres/migrations/", PROGRAM_FOLDER),
);

/** The schema version of this program. */
export const LATEST = MIGRATIONS.at(-1)?.version ?? 0;

/** Some tables of the first migration. */
const FIRST_TABLES = ["event", "event_id", "audit_entry", "audit_writer"];

/**
 * The column `application` tells our table from another program's of the same name. The statement is not part of a migration,
 * because the table tells which migrations have run.
 */
export const CREATE_VERSION_TABLE = `CREATE TABLE IF NOT EXISTS schema_version (
  application text NOT NULL CHECK (application = 'hexhook'),
  version integer PRIMARY KEY,
  applied_at timestamptz NOT NULL DEFAULT now()
)`;

const tables = {
  name: "",
  text: `SELECT relname AS name, EXISTS (
      SELECT FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = 'application'
    ) AS own
    FROM pg_class WHERE relnamespace = to_regnamespace(current_schema()::text) AND relname = ANY ($1::text[])
    ORDER BY relname`,
};

const version = {
  name: "",
  text: "SELECT max(version) AS version FROM schema_version WHERE application = 'hexhook'",
};

/**
 * Returns the schema version of a database; 0 = it has no tables of this program. Throws StoreError if the schema is newer
 * than this program, or if another application has tables with the same names.
 */
export async function readVersion(sql: Sql): Promise<number> {
  const found = await sql.query<{ name: string; own: boolean }>(tables, [
    [...FIRST_TABLES, "schema_version"],
  ]);
  const versions = found.find(({ name }) => name === "schema_version");
  const foreign = versions?.own === false ? versions : found[0];
  if (foreign === undefined) {
    return 0;
  }
  if (versions?.own !== true) {
    throw storeError(
      "STORE_FOREIGN",
      `the database has a table \`${foreign.name}\` of another application: set DATABASE_URL to an empty database`,
    );
  }
  const [row] = await sql.query<{ version: number | null }>(version);
  const current = row?.version ?? 0;
  if (current > LATEST) {
    throw schemaTooNew(current, LATEST);
  }
  return current;
}

/** Throws StoreError unless the database has this program's schema version. */
export async function requireCurrentSchema(sql: Sql): Promise<void> {
  const found = await readVersion(sql);
  if (found === 0) {
    throw storeError(
      "STORE_MISSING",
      "the database has no store: start `hexhook serve` once, or set DATABASE_URL",
    );
  }
  if (found < LATEST) {
    throw schemaTooOld(found, LATEST);
  }
}
