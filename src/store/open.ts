import { UsageError } from "../errors.ts";
import type { Store, StoreDeps, StoreReader } from "./port.ts";
import { backupSqlite } from "./sqlite/backup.ts";
import { storeFileExists } from "./sqlite/open.ts";
import {
  migrateSqlite,
  openSqliteReader,
  openSqliteStore,
} from "./sqlite/store.ts";
import { openThreadedSqliteStore } from "./sqlite/threaded-store.ts";
import { endThreads } from "./thread/thread.ts";
import type { SqliteUrl, StoreUrl } from "./url.ts";

/** Loaded only for a PostgreSQL URL: it would take a fifth of each start with SQLite. */
const postgres = () => import("./postgres/driver.ts");

/*
 * The only module that imports the drivers. `url.driver` names the driver. All promises reject with StoreError if the store
 * cannot be opened.
 */

/** Opens a store for writing and brings its schema up to date. */
export async function openStore(
  url: StoreUrl,
  deps: StoreDeps,
): Promise<Store> {
  return url.driver === "sqlite"
    ? openSqliteStore({ ...deps, file: url.file })
    : (await postgres()).openPostgresStore(url, deps);
}

/**
 * Like `openStore`, but a SQLite store runs on two worker threads, so that it never blocks the caller's event loop. Services
 * use this.
 */
export async function openStoreOnThreads(
  url: StoreUrl,
  deps: StoreDeps,
): Promise<Store> {
  return url.driver === "sqlite"
    ? openThreadedSqliteStore({ ...deps, file: url.file })
    : (await postgres()).openPostgresStore(url, deps);
}

/** Ends the threads of all stores. The caller must await it before `process.exit`. Resolves to false if a thread hangs. */
export const endStoreThreads = endThreads;

/**
 * Opens an existing store for reading. A service may use the store at the same time. `snapshot`: all reads see the store as
 * it was at the first read, without later changes.
 */
export async function openStoreReader(
  url: StoreUrl,
  options: { snapshot: boolean } = { snapshot: false },
): Promise<StoreReader> {
  return url.driver === "sqlite"
    ? openSqliteReader(url.file, options)
    : (await postgres()).openPostgresReader(url, options);
}

/** Brings the schema of a store up to date; creates a missing store. Returns the schema versions before and after. */
export async function migrateStore(
  url: StoreUrl,
): Promise<{ from: number; to: number }> {
  return url.driver === "sqlite"
    ? migrateSqlite(url.file)
    : (await postgres()).migratePostgres(url);
}

/**
 * Writes a copy of a store to a new file, beside a running service. The file appears when it is complete. If `signal` aborts,
 * what was written is deleted at once, and the copy continues only until the process ends. Returns the size of the file in
 * bytes. Rejects with UsageError if the store has no file or the copy cannot have this name, and with StoreError.
 */
export async function backupStore(
  url: StoreUrl,
  copy: string,
  signal?: AbortSignal,
): Promise<number> {
  if (url.driver !== "sqlite") {
    throw new UsageError(
      "this command is for SQLite: use pg_dump to back up a PostgreSQL database (docs/backup-and-recovery.md)",
    );
  }
  return backupSqlite(url.file, copy, signal);
}

/** Whether the store exists: its file, or its tables in the database. Rejects with StoreError if the path is not a file. */
export async function storeExists(url: StoreUrl): Promise<boolean> {
  return url.driver === "sqlite"
    ? storeFileExists(url.file)
    : (await postgres()).postgresStoreExists(url);
}

/**
 * Checks the server of a store. Returns whether a commit waits for a standby; null = the store has no server. Rejects with
 * StoreError if the server cannot be reached, lacks a feature, or could lose what it has acknowledged.
 */
export async function checkServer(
  url: StoreUrl,
): Promise<{ waitsForStandby: boolean } | null> {
  if (url.driver === "sqlite") {
    return null;
  }
  const { requireUsableServer, waitsForStandby } = await postgres();
  await requireUsableServer(url);
  return { waitsForStandby: await waitsForStandby(url) };
}

/**
 * Returns the path of the signing key that is used when AUDIT_SIGNING_KEY is not set. The file is in the store's directory.
 * Null: the store has no directory, so AUDIT_SIGNING_KEY must be set.
 */
export function signingKeyFile(url: SqliteUrl): string;
export function signingKeyFile(url: StoreUrl): string | null;
export function signingKeyFile(url: StoreUrl): string | null {
  return url.driver === "sqlite" ? `${url.file}-audit-key.pem` : null;
}
