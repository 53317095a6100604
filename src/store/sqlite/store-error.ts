import { errorCode, StoreError } from "../../errors.ts";
import { sqliteErrorName } from "./error-name.ts";

/**
 * Temporary errors: nothing was written, and a later try may succeed. A failed write is temporary (a quota, a full disk),
 * because it is rolled back. A failed sync is not.
 */
const TRANSIENT =
  /^SQLITE_(?:FULL|BUSY|LOCKED|CANTOPEN|READONLY(?!_DBMOVED)|PERM|INTERRUPT|IOERR_(?:WRITE|SHM|LOCK|NOMEM|GETTEMPPATH))/;

/** Errors after which the file cannot be trusted: after a failed fsync SQLite reports later commits as successful. */
const FATAL = /^SQLITE_(?:IOERR|CORRUPT|NOTADB|READONLY_DBMOVED)/;

/** The advice for a damaged store. */
const RECOVERY =
  'stop the service and recover the store (docs/backup-and-recovery.md, "To recover a damaged store")';

/**
 * Converts any error to a StoreError. An error that does not come from the storage is not fatal, because nothing was
 * written.
 */
export function asStoreError(thrown: unknown): StoreError {
  if (thrown instanceof StoreError) {
    return thrown;
  }
  const code =
    sqliteErrorName(thrown) ?? systemCode(thrown) ?? "STORE_PROGRAM_FAULT";
  const fatal = FATAL.test(code) && !TRANSIENT.test(code);
  return new StoreError(describe(code, fatal), { code, fatal });
}

/**
 * Returns the error's system code. Undefined for the drivers' `ERR_` codes: they mean misuse, such as a closed database,
 * which is a bug in this program.
 */
function systemCode(thrown: unknown): string | undefined {
  const code = errorCode(thrown);
  return code?.startsWith("ERR_") === true ? undefined : code;
}

/** Returns the error for work that has waited too long for the lock of another process. */
export function lockTimeout(): StoreError {
  const code = "SQLITE_BUSY";
  return new StoreError(describe(code, false), { code, fatal: false });
}

function describe(code: string, fatal: boolean): string {
  if (code.startsWith("SQLITE_FULL")) {
    return `the disk is full (${code}): free some space`;
  }
  if (code.startsWith("SQLITE_BUSY")) {
    return `another process holds the lock of the store (${code}): end its transaction`;
  }
  if (code === "SQLITE_NOTADB") {
    return `the file is not a SQLite database (${code}): check DATABASE_URL; if it was a store, ${RECOVERY}`;
  }
  if (code.startsWith("SQLITE_CORRUPT")) {
    return `the store is damaged (${code}): ${RECOVERY}`;
  }
  if (code.startsWith("SQLITE_CANTOPEN")) {
    return `the file cannot be opened (${code}): check DATABASE_URL and the permissions of the file and its directory`;
  }
  if (/^SQLITE_(?:READONLY|PERM)/.test(code)) {
    return `the file cannot be written (${code}): check the permissions of the file and its directory`;
  }
  return fatal
    ? `the store can no longer be trusted (${code}): check the disk, then start again`
    : `the operation of the store failed (${code}): if it fails again, ${RECOVERY}`;
}

/** Wraps the methods so that they reject with StoreErrors. Fatal errors are also passed to `onFatal`. */
export function withStoreErrors<
  T extends Record<keyof T, (...args: never[]) => Promise<unknown>>,
>(methods: T, onFatal: (error: StoreError) => void): T {
  const wrapped = Object.entries<(...args: never[]) => Promise<unknown>>(
    methods,
  ).map(([name, method]) => [
    name,
    async (...args: never[]) => {
      try {
        return await method(...args);
      } catch (thrown) {
        const error = asStoreError(thrown);
        if (error.fatal) {
          onFatal(error);
        }
        throw error;
      }
    },
  ]);
  return Object.fromEntries(wrapped) as T;
}
