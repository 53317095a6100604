import { type Database, openDatabase } from "./driver.ts";

/** How long a process waits for another process that is starting, in milliseconds. */
const BUSY_TIMEOUT_MS = 2000;

/** A lock file beside the database. All processes that make deliveries share it until they end. */
export interface InstanceLock {
  /** Whether no other process held the lock at the start of this one. Then all leases belong to dead processes. */
  readonly alone: boolean;
  readonly release: () => void;
}

/** Takes the shared lock. The operating system releases it when the process ends, even if it is killed. */
export function holdInstanceLock(file: string): InstanceLock {
  const lock = openDatabase(`${file}-lock`, { busyTimeoutMs: 0 });
  const alone = tryExclusively(lock);
  // Until the shared lock is taken, another process may also find that no other process runs. That is safe, because neither
  // has claimed a delivery yet.
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

/**
 * Creates the lease on the shared sinks: a lock file beside the database that only one process holds, until it ends.
 * `tryTake` returns whether this process holds it.
 */
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
