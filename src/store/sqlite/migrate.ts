import { readdirSync, readFileSync } from "node:fs";
import type { Database } from "./driver.ts";
import { StoreError } from "../../errors.ts";

const FOLDER = new URL("./migrations/", import.meta.url);

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
 * processes start at once: the second waits, looks again and finds nothing to do. Says what it found and left.
 */
export function migrate(db: Database): { from: number; to: number } {
  const latest = latestSchemaVersion();
  const from = versionOf(db);
  refuseNewer(from, latest);
  for (const { version, file } of listMigrations()) {
    db.exec("BEGIN EXCLUSIVE");
    try {
      if (versionOf(db) < version) {
        db.exec(readFileSync(new URL(file, FOLDER), "utf8"));
        db.exec(`PRAGMA user_version = ${version}`);
      }
      db.exec("COMMIT");
    } catch (error) {
      db.rollback();
      throw error;
    }
  }
  return { from, to: versionOf(db) };
}
