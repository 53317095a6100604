import type { Store, StoreDeps, StoreReader } from "./port.ts";
import { storeFileExists } from "./sqlite/open.ts";
import {
  migrateSqlite,
  openSqliteReader,
  openSqliteStore,
} from "./sqlite/store.ts";
import { openThreadedSqliteStore } from "./sqlite/threaded-store.ts";
import { endThreads } from "./thread/thread.ts";
import type { StoreUrl } from "./url.ts";

/*
 * The only module that imports the drivers. `url.driver` names the driver. There is only one at present. All functions throw
 * StoreError if the store cannot be opened.
 */

/** Opens a store for writing and brings its schema up to date. */
export async function openStore(
  url: StoreUrl,
  deps: StoreDeps,
): Promise<Store> {
  return openSqliteStore({ ...deps, file: url.file });
}

/**
 * Like `openStore`, but the store runs on two worker threads, so that it never blocks the caller's event loop. Services use
 * this.
 */
export function openStoreOnThreads(
  url: StoreUrl,
  deps: StoreDeps,
): Promise<Store> {
  return openThreadedSqliteStore({ ...deps, file: url.file });
}

/** Ends the threads of all stores. The caller must await it before `process.exit`. Resolves to false if a thread hangs. */
export const endStoreThreads = endThreads;

/**
 * Opens an existing store for reading. A service may use the store at the same time. `snapshot`: all reads see the store as
 * it was at the first read, without later changes.
 */
export function openStoreReader(
  url: StoreUrl,
  options: { snapshot: boolean } = { snapshot: false },
): StoreReader {
  return openSqliteReader(url.file, options);
}

/** Brings the schema of a store up to date; creates a missing store. Returns the schema versions before and after. */
export function migrateStore(url: StoreUrl): { from: number; to: number } {
  return migrateSqlite(url.file);
}

/** Whether the store's file exists. Throws StoreError if the path is not a file. */
export function storeExists(url: StoreUrl): boolean {
  return storeFileExists(url.file);
}

/**
 * Returns the path of the signing key that is used when AUDIT_SIGNING_KEY is not set. The file is in the store's directory.
 */
export function signingKeyFile(url: StoreUrl): string {
  return `${url.file}-audit-key.pem`;
}
