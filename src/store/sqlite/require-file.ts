import { existsSync, type Stats, statSync } from "node:fs";
import { errorCode, StoreError } from "../../errors.ts";
import { companionFile } from "./companion-file.ts";

/** Why a path does not lead to a file; what else can go wrong is named by its code. */
const REASONS: Readonly<Record<string, string>> = {
  ENOTDIR: "a part of that path is a file, not a folder",
  EACCES: "this user may not look into a folder on that path",
  ELOOP: "that is a symbolic link that leads to itself",
  ENAMETOOLONG: "that path is too long",
};

/**
 * What is at the path of a store: an ordinary file, or null for nothing. Refuses anything else, before SQLite waits for the
 * other end of a pipe. Throws StoreError.
 */
export function statStoreFile(file: string): Stats | null {
  let stats: Stats;
  try {
    stats = statSync(file);
  } catch (error) {
    const code = errorCode(error) ?? "unknown";
    if (code === "ENOENT") {
      return null;
    }
    throw unusable(REASONS[code] ?? `that cannot be looked at (${code})`);
  }
  if (!stats.isFile()) {
    throw unusable(`that is ${kindOf(stats)}, not a file`);
  }
  return stats;
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) {
    return "a folder";
  }
  if (stats.isFIFO()) {
    return "a pipe";
  }
  return stats.isSocket() ? "a socket" : "a device";
}

function unusable(what: string): StoreError {
  return new StoreError(`${what}: check DATABASE_URL`, {
    code: "STORE_PATH",
    fatal: false,
  });
}

/**
 * Refuses to begin a store where only the log of one is: SQLite would delete the log, with the events that are in no
 * other file.
 */
export function requireNoOrphanedLog(file: string, stats: Stats | null): void {
  if (stats !== null && stats.size > 0) {
    return;
  }
  const log = companionFile(file, "-wal");
  if ((statSync(log, { throwIfNoEntry: false })?.size ?? 0) > 0) {
    throw new StoreError(
      `the database is ${stats === null ? "gone" : "empty"}, but its log ${log} holds events: put the database back where it was, or restore a backup; only to give up these events, move the log away`,
      { code: "STORE_WITHOUT_DATABASE", fatal: false },
    );
  }
}

/** Whether SQLite would change the file merely because it is opened and closed: by a log or journal that was left behind. */
export function hasPendingChanges(file: string): boolean {
  return (
    existsSync(companionFile(file, "-wal")) ||
    existsSync(companionFile(file, "-journal"))
  );
}
