import { errorCode, StoreError } from "../../errors.ts";
import { sqliteErrorName } from "./error-name.ts";

/**
 * Faults that pass: nothing was written, and the next try may well succeed. A write that fails (a quota, a full disk) is
 * one of them, since it rolls back; a sync that fails is not.
 */
const TRANSIENT =
  /^SQLITE_(?:FULL|BUSY|LOCKED|CANTOPEN|READONLY(?!_DBMOVED)|PERM|INTERRUPT|IOERR_(?:WRITE|SHM|LOCK|NOMEM|GETTEMPPATH))/;

/** Faults after which the file is not to be believed: after a failed fsync SQLite reports later commits as good. */
const FATAL = /^SQLITE_(?:IOERR|CORRUPT|NOTADB|READONLY_DBMOVED)/;

/** Where the documentation says how to recover a store. */
const RECOVERY =
  'stop the service and recover the store (docs/backup-and-recovery.md, "To recover a damaged store")';

/** A driver's error as a StoreError. One that is no fault of the storage passes too: nothing was written. */
export function asStoreError(thrown: unknown): StoreError {
  if (thrown instanceof StoreError) {
    return thrown;
  }
  const code =
    sqliteErrorName(thrown) ?? systemCode(thrown) ?? "STORE_PROGRAM_FAULT";
  const fatal = FATAL.test(code) && !TRANSIENT.test(code);
  return new StoreError(describe(code, fatal), { code, fatal });
}

/** The drivers give misuse (a closed database, a value of a wrong type) codes of Node's kind: these are program faults. */
function systemCode(thrown: unknown): string | undefined {
  const code = errorCode(thrown);
  return code?.startsWith("ERR_") === true ? undefined : code;
}

/** The error of what has waited too long for the lock of another process. */
export function lockTimeout(): StoreError {
  const code = "SQLITE_BUSY";
  return new StoreError(describe(code, false), { code, fatal: false });
}

function describe(code: string, fatal: boolean): string {
  if (code.startsWith("SQLITE_FULL")) {
    return `the disk is full (${code}): make room`;
  }
  if (code.startsWith("SQLITE_BUSY")) {
    return `another process holds its lock (${code}): end that transaction`;
  }
  if (code === "SQLITE_NOTADB") {
    return `that is not a SQLite database (${code}): check DATABASE_URL; if it was a store, ${RECOVERY}`;
  }
  if (code.startsWith("SQLITE_CORRUPT")) {
    return `the store is damaged (${code}): ${RECOVERY}`;
  }
  if (code.startsWith("SQLITE_CANTOPEN")) {
    return `it cannot be opened (${code}): check DATABASE_URL and who may write there`;
  }
  if (/^SQLITE_(?:READONLY|PERM)/.test(code)) {
    return `it cannot be written (${code}): check who may write the file and its folder`;
  }
  return fatal
    ? `the store cannot be trusted any more (${code}): check the disk, then start again`
    : `the store could not do that (${code}): when that stays so, ${RECOVERY}`;
}

/** The same methods, whose errors are StoreErrors. Those after which the file is not to be believed go to `onFatal` too. */
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
