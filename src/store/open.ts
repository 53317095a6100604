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
 * The only place that knows drivers: `url.driver` names the one to use. There is one so far. What cannot be opened throws
 * StoreError.
 */

/** Opens a store for writing, and brings its schema up to date. */
export async function openStore(
  url: StoreUrl,
  deps: StoreDeps,
): Promise<Store> {
  return openSqliteStore({ ...deps, file: url.file });
}

/** Like `openStore`, but on two worker threads: the store never blocks the event loop of the caller. For services. */
export function openStoreOnThreads(
  url: StoreUrl,
  deps: StoreDeps,
): Promise<Store> {
  return openThreadedSqliteStore({ ...deps, file: url.file });
}

/** Ends the threads of all stores; to be awaited before `process.exit`. False when one hangs. */
export const endStoreThreads = endThreads;

/**
 * Opens an existing store for reading, beside a running service or not. `snapshot`: as it is at the first read, whatever is
 * written or purged meanwhile.
 */
export function openStoreReader(
  url: StoreUrl,
  options: { snapshot: boolean } = { snapshot: false },
): StoreReader {
  return openSqliteReader(url.file, options);
}

/** Brings the schema of a store up to date, making the store when there is none. Returns both schema versions. */
export function migrateStore(url: StoreUrl): { from: number; to: number } {
  return migrateSqlite(url.file);
}

/** Throws StoreError where there is something else than a store's file. */
export function storeExists(url: StoreUrl): boolean {
  return storeFileExists(url.file);
}

/** The file for the key that signs the audit trail when AUDIT_SIGNING_KEY is not set: beside the store. */
export function signingKeyFile(url: StoreUrl): string {
  return `${url.file}-audit-key.pem`;
}
