import type { Database } from "./driver.ts";
import { sqliteErrorName } from "./error-name.ts";
import { StoreError } from "../../errors.ts";
import { PROGRAM_FOLDER } from "../../program-folder.ts";
import { listMigrations } from "../migration-files.ts";
import { schemaTooNew, schemaTooOld } from "../schema-errors.ts";

const FOLDER = new URL("store/sqlite/migrations/", PROGRAM_FOLDER);

/** How long a start waits for a migration by another process, in milliseconds. The migration of a large store takes long. */
const MIGRATION_WAIT_MS = 60_000;

/**
 * How long one call of SQLite waits for a lock, in milliseconds. Between two calls, the migration checks whether it must
 * stop.
 */
const STEP_MS = 200;

/** Returns the schema version of this program. */
function latestSchemaVersion(): number {
  return listMigrations(FOLDER).at(-1)?.version ?? 0;
}

function versionOf(db: Database): number {
  return db.pragma("user_version") as number;
}

/** Throws StoreError unless the store has this program's schema version. */
export function requireCurrentSchema(db: Database): void {
  const found = versionOf(db);
  const latest = latestSchemaVersion();
  requireNotNewer(found, latest);
  if (found < latest) {
    throw schemaTooOld(found, latest);
  }
}

/** Throws StoreError if the store's schema version is newer than this program's. */
export function requireNoNewerSchema(db: Database): void {
  requireNotNewer(versionOf(db), latestSchemaVersion());
}

function requireNotNewer(found: number, latest: number): void {
  if (found > latest) {
    throw schemaTooNew(found, latest);
  }
}

/**
 * Brings the schema up to date. Each migration runs in a transaction that also writes its version. Two processes may start at
 * once: the second waits, reads the version again, and either has nothing to do or throws because the schema is too new.
 * Returns the versions before and after. Throws between two steps if `isEnding` returns true.
 */
export function migrate(
  db: Database,
  isEnding: () => boolean = () => false,
): { from: number; to: number } {
  const latest = latestSchemaVersion();
  const from = versionOf(db);
  requireNotNewer(from, latest);
  if (from === latest) {
    return { from, to: latest };
  }
  const busyTimeoutMs = Number(db.pragma("busy_timeout"));
  db.exec(`PRAGMA busy_timeout = ${STEP_MS}`);
  for (const { version, read } of listMigrations(FOLDER)) {
    beginExclusively(db, isEnding);
    try {
      const found = versionOf(db);
      requireNotNewer(found, latest);
      if (found < version) {
        db.exec(read());
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

/** Begins an exclusive transaction, and waits for the lock of another process. */
function beginExclusively(db: Database, isEnding: () => boolean): void {
  const deadline = performance.now() + MIGRATION_WAIT_MS;
  for (;;) {
    if (isEnding()) {
      throw new StoreError("the store is closed", {
        code: "STORE_CLOSED",
        fatal: false,
      });
    }
    try {
      db.exec("BEGIN EXCLUSIVE");
      return;
    } catch (error) {
      const isLocked = sqliteErrorName(error)?.startsWith("SQLITE_BUSY");
      if (isLocked !== true || performance.now() > deadline) {
        throw error;
      }
    }
  }
}
