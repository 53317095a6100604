import { closeSync, openSync } from "node:fs";
import path from "node:path";
import { errorCode, StoreError } from "../../errors.ts";
import { makeFolder, requireWritable } from "../make-folder.ts";
import { requireOwnDatabase } from "./application-id.ts";
import { type Database, openDatabase } from "./driver.ts";
import { type FileId, idOf, isSameFile, statOf } from "./file-id.ts";
import {
  hasPendingChanges,
  requireNoOrphanedLog,
  statStoreFile,
} from "./require-file.ts";
import { asStoreError } from "./store-error.ts";
import { requireCurrentSchema, requireNoNewerSchema } from "./migrate.ts";
import { MAX_IDLE_LOG_BYTES } from "./wal-checkpointer.ts";

/** How long a connection waits for another process's lock, in milliseconds. An open store sets 0; see group-commit.ts. */
const BUSY_TIMEOUT_MS = 2000;

/** The page cache of a connection, in KiB. With SQLite's default of 2,000, a large store reads the same pages repeatedly. */
const CACHE_KIB = 16_000;

/** SQLite's own number for `synchronous = FULL`. */
const SYNCHRONOUS_FULL = 2;

/** Opens the file for writing. Creates the file and its directory if they do not exist. */
export function openForWriting(file: string): Database {
  return openFileForWriting(file).db;
}

/** Like `openForWriting`. `id` identifies the file that was opened. */
export function openFileForWriting(file: string): { db: Database; id: FileId } {
  return guarded(file, () => {
    makeFolder(path.resolve(path.dirname(file)));
    makeFile(file);
    const before = statOf(file);
    const db = openChecked(file);
    try {
      if (before === null || !isSameFile(statOf(file), idOf(before))) {
        throw new StoreError(
          "the file was replaced during opening: start again",
          {
            code: "STORE_MOVED",
            fatal: false,
          },
        );
      }
      db.exec("PRAGMA journal_mode = WAL");
      db.exec("PRAGMA synchronous = FULL");
      db.exec("PRAGMA foreign_keys = ON");
      db.exec(`PRAGMA cache_size = -${CACHE_KIB}`);
      // The store runs checkpoints itself, because SQLite's automatic ones hide a failed fsync.
      db.exec("PRAGMA wal_autocheckpoint = 0");
      db.exec(`PRAGMA journal_size_limit = ${MAX_IDLE_LOG_BYTES}`);
      requireDurability(db);
      return { db, id: idOf(before) };
    } catch (error) {
      db.close();
      throw error;
    }
  });
}

/** Opens an existing file with this program's schema for reading only. */
export function openForReading(file: string): Database {
  return openExisting(file, (db) => {
    db.exec("PRAGMA query_only = ON");
    requireCurrentSchema(db);
  });
}

/**
 * Opens an existing file, which may have an older schema, to copy it. The connection is not `query_only`, because then SQLite
 * would not write the copy either.
 */
export function openForCopying(file: string): Database {
  return openExisting(file, requireNoNewerSchema);
}

function openExisting(file: string, prepare: (db: Database) => void): Database {
  const stats = guarded(file, () => statStoreFile(file));
  if (stats === null) {
    throw new StoreError(
      `there is no store at ${file}: start \`hexhook serve\` once, or set DATABASE_URL`,
      { code: "STORE_MISSING", fatal: false },
    );
  }
  return guarded(file, () => {
    requireNoOrphanedLog(file, stats);
    const db = openChecked(file);
    try {
      db.exec(`PRAGMA cache_size = -${CACHE_KIB}`);
      prepare(db);
    } catch (error) {
      db.close();
      throw error;
    }
    return db;
  });
}

/** Whether the file exists. Throws StoreError if the path is not a file. */
export function storeFileExists(file: string): boolean {
  return guarded(file, () => statStoreFile(file)) !== null;
}

/** Creates an empty file if there is none, so that its identity is known before SQLite opens it. */
function makeFile(file: string): void {
  const stats = statStoreFile(file);
  requireNoOrphanedLog(file, stats);
  requireWritable(file);
  if (stats === null) {
    try {
      closeSync(openSync(file, "a", 0o644));
    } catch (error) {
      throw new StoreError(
        `the file cannot be created (${errorCode(error) ?? "unknown"}): check DATABASE_URL and the permissions of the directory`,
        { code: "STORE_PATH", fatal: false },
      );
    }
  }
}

/** Opens a file that is a store or may become one. Any other file stays unchanged. */
function openChecked(file: string): Database {
  if (hasPendingChanges(file)) {
    // Closing a writable connection would move the log into the database. A read-only connection does not change another
    // application's file.
    openOwn(file, true).close();
  }
  return openOwn(file, false);
}

function openOwn(file: string, readOnly: boolean): Database {
  const db = openDatabase(file, { busyTimeoutMs: BUSY_TIMEOUT_MS, readOnly });
  try {
    requireOwnDatabase(db);
  } catch (error) {
    db.close();
    throw error;
  }
  return db;
}

/** Checks the durability settings. Some builds of SQLite use `synchronous=NORMAL` in WAL mode, which can lose commits. */
function requireDurability(db: Database): void {
  const mode = db.pragma("journal_mode");
  const synchronous = db.pragma("synchronous");
  if (mode !== "wal" || synchronous !== SYNCHRONOUS_FULL) {
    throw new StoreError(
      `SQLite cannot write durably here (journal_mode ${String(mode)}, synchronous ${String(synchronous)}): put the file on a local disk`,
      { code: "STORE_NOT_DURABLE", fatal: true },
    );
  }
}

/** Runs `open`. Rethrows its errors as StoreErrors that name the file. */
export function guarded<T>(file: string, open: () => T): T {
  try {
    return open();
  } catch (thrown) {
    const error = asStoreError(thrown);
    throw new StoreError(`${file}: ${error.message}`, {
      code: error.code,
      fatal: error.fatal,
    });
  }
}
