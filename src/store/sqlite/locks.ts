import { type Database, openDatabase } from "./driver.ts";

/** How long a process waits for another one that is just starting, in milliseconds. */
const BUSY_TIMEOUT_MS = 2000;

/** A lock beside the file that every process that makes deliveries shares, for as long as it lives. */
export interface InstanceLock {
  /** Whether no other process had the file open when this one came: then every lease is one of the dead. */
  readonly alone: boolean;
  readonly release: () => void;
}

/** Takes the operating system's lock, which ends with the process, however that ends. */
export function holdInstanceLock(file: string): InstanceLock {
  const lock = openDatabase(`${file}-lock`, { busyTimeoutMs: 0 });
  const alone = tryExclusively(lock);
  // Between the two another process may find itself alone: nothing has been claimed here yet, so no harm is done.
  lock.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
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
export function createSinkLease(file: string): {
  tryTake: () => boolean;
  release: () => void;
} {
  let lock: Database | null = null;
  let taken = false;
  return {
    tryTake() {
      lock ??= openDatabase(`${file}-feed`, { busyTimeoutMs: 0 });
      taken ||= beginExclusively(lock);
      return taken;
    },
    release() {
      lock?.close();
    },
  };
}

function beginExclusively(lock: Database): boolean {
  try {
    lock.exec("BEGIN EXCLUSIVE");
    return true;
  } catch {
    return false;
  }
}

function tryExclusively(lock: Database): boolean {
  const alone = beginExclusively(lock);
  if (alone) {
    lock.exec("COMMIT");
  }
  return alone;
}
