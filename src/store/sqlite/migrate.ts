import { readdirSync, readFileSync } from "node:fs";
import type { Database } from "./driver.ts";
import { StoreError } from "../../errors.ts";

const FOLDER = new URL("./migrations/", import.meta.url);

/** How long a start waits for another process that is migrating, in milliseconds: that takes its time on a large store. */
const MIGRATION_WAIT_MS = 60_000;

interface Migration {
  readonly version: number;
  readonly file: string;
}

function listMigrations(): Migration[] {
  return readdirSync(FOLDER)
    .filter((file) => /^\d{4}-[a-z0-9-]+\.sql$/.test(file))
    .sort()
    .map((file) => ({ version: Number(file.slice(0, 4)), file }));
}

/** The schema version that this program writes. */
function latestSchemaVersion(): number {
  return listMigrations().at(-1)?.version ?? 0;
}

function versionOf(db: Database): number {
  return db.pragma("user_version") as number;
}

/** Refuses a store of another version than this program's. */
export function requireCurrentSchema(db: Database): void {
  const found = versionOf(db);
  const latest = latestSchemaVersion();
  refuseNewer(found, latest);
  if (found < latest) {
    throw new StoreError(
      `the store has schema version ${found}, this program needs ${latest}: run \`hexhook migrate\``,
      { code: "SCHEMA_TOO_OLD", fatal: false },
    );
  }
}

function refuseNewer(found: number, latest: number): void {
  if (found > latest) {
    throw new StoreError(
      `the store has schema version ${found}, newer than this program's ${latest}: use the newer hexhook`,
      { code: "SCHEMA_TOO_NEW", fatal: false },
    );
  }
}

/**
 * Brings the schema up to date, each migration in a transaction that also notes its version. Safe when two
 * processes start at once: the second waits, looks again and finds nothing to do, or a schema that is too new for it.
 * Returns the versions before and after.
 */
export function migrate(db: Database): { from: number; to: number } {
  const latest = latestSchemaVersion();
  const from = versionOf(db);
  refuseNewer(from, latest);
  if (from === latest) {
    return { from, to: latest };
  }
  const busyTimeoutMs = Number(db.pragma("busy_timeout"));
  db.exec(`PRAGMA busy_timeout = ${MIGRATION_WAIT_MS}`);
  for (const { version, file } of listMigrations()) {
    db.exec("BEGIN EXCLUSIVE");
    try {
      const found = versionOf(db);
      refuseNewer(found, latest);
      if (found < version) {
        db.exec(readFileSync(new URL(file, FOLDER), "utf8"));
        db.exec(`PRAGMA user_version = ${version}`);
      }
      db.exec("COMMIT");
    } catch (error) {
      db.rollback();
      throw error;
    }
  }
  db.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
  return { from, to: versionOf(db) };
}
