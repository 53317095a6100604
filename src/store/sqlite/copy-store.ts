import { StoreError } from "../../errors.ts";
import { guarded, openForCopying } from "./open.ts";
import { asStoreError } from "./store-error.ts";

/** Errors of the copy's disk: full, or over a quota. The store is only read. */
const NOT_WRITTEN = /^SQLITE_(?:FULL|IOERR_(?:WRITE|FSYNC|TRUNCATE))/;

/**
 * Copies the state of one moment of a store into an empty file. The store may be in use: writers continue meanwhile, but
 * cannot reuse the log of the store. Throws StoreError.
 */
export function copyStore(store: string, copy: string): void {
  const db = openForCopying(store);
  try {
    db.prepare<[string]>("VACUUM INTO ?").run(copy);
  } catch (thrown) {
    const error = asStoreError(thrown);
    throw NOT_WRITTEN.test(error.code)
      ? new StoreError(
          `${copy}: the backup cannot be written (${error.code}): free some space, or name a file on another disk`,
          { code: error.code, fatal: false },
        )
      : guarded(store, () => {
          throw error;
        });
  } finally {
    db.close();
  }
}
