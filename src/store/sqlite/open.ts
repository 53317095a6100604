import { existsSync } from "node:fs";
import path from "node:path";
import Database, { type Database as Db } from "better-sqlite3";
import { StoreError } from "../../errors.ts";
import { makeFolder } from "../make-folder.ts";
import { asStoreError } from "./store-error.ts";
import { requireCurrentSchema } from "./migrate.ts";

/** How long a connection waits for another process's transaction, in milliseconds. */
const BUSY_TIMEOUT_MS = 2000;

/** SQLite's own number for `synchronous = FULL`. */
const SYNCHRONOUS_FULL = 2;

/** Opens the file for writing, making it and its folder when they are not there yet. */
export function openForWriting(file: string): Db {
  return guarded(file, () => {
    makeFolder(path.resolve(path.dirname(file)));
    const db = new Database(file, { timeout: BUSY_TIMEOUT_MS });
    try {
      db.pragma("journal_mode = WAL");
      db.pragma("synchronous = FULL");
      db.pragma("foreign_keys = ON");
      // Checkpoints are run by the store itself, which sees their faults; SQLite's own would hide a failed fsync.
      db.pragma("wal_autocheckpoint = 0");
      requireDurability(db);
    } catch (error) {
      db.close();
      throw error;
    }
    return db;
  });
}

/** Opens a file that is there and has this program's schema, for reading alone. */
export function openForReading(file: string): Db {
  if (!existsSync(file)) {
    throw new StoreError(
      `there is no store at ${file}: start \`hexhook serve\` once, or set DATABASE_URL`,
      { code: "STORE_MISSING", fatal: false },
    );
  }
  return guarded(file, () => {
    const db = new Database(file, {
      fileMustExist: true,
      timeout: BUSY_TIMEOUT_MS,
    });
    try {
      db.pragma("query_only = ON");
      requireCurrentSchema(db);
    } catch (error) {
      db.close();
      throw error;
    }
    return db;
  });
}

/** Reads back what was asked for: better-sqlite3 is built to drop to NORMAL in WAL mode, which can lose commits. */
function requireDurability(db: Db): void {
  const mode = db.pragma("journal_mode", { simple: true });
  const synchronous = db.pragma("synchronous", { simple: true });
  if (mode !== "wal" || synchronous !== SYNCHRONOUS_FULL) {
    throw new StoreError(
      `SQLite refuses to write durably here (journal_mode ${String(mode)}, synchronous ${String(synchronous)}): put the file on a local disk`,
      { code: "STORE_NOT_DURABLE", fatal: true },
    );
  }
}

function guarded(file: string, open: () => Db): Db {
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

/** A lock beside the file that every process that makes deliveries shares, for as long as it lives. */
export interface InstanceLock {
  /** Whether no other process had the file open when this one came: then every lease is one of the dead. */
  readonly alone: boolean;
  readonly release: () => void;
}

/** Takes the operating system's lock, which ends with the process, however that ends. */
export function holdInstanceLock(file: string): InstanceLock {
  const lock = new Database(`${file}-lock`, { timeout: 0 });
  const alone = tryExclusively(lock);
  // Between the two another process may find itself alone: nothing has been claimed here yet, so no harm is done.
  lock.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
  lock.exec("BEGIN");
  lock.prepare("SELECT count(*) FROM sqlite_schema").get();
  return {
    alone,
    release: () => {
      lock.close();
    },
  };
}

/** A lock beside the file that one process has at a time, for as long as it lives; `tryTake` says whether it is this one. */
export function createFeedLock(file: string): {
  tryTake: () => boolean;
  release: () => void;
} {
  let lock: Db | null = null;
  let taken = false;
  return {
    tryTake() {
      lock ??= new Database(`${file}-feed`, { timeout: 0 });
      taken ||= beginExclusively(lock);
      return taken;
    },
    release() {
      lock?.close();
    },
  };
}

function beginExclusively(lock: Db): boolean {
  try {
    lock.exec("BEGIN EXCLUSIVE");
    return true;
  } catch {
    return false;
  }
}

function tryExclusively(lock: Db): boolean {
  const alone = beginExclusively(lock);
  if (alone) {
    lock.exec("COMMIT");
  }
  return alone;
}
