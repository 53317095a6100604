import { existsSync, type Stats, statSync } from "node:fs";
import { errorCode, StoreError } from "../../errors.ts";
import { companionFile } from "./companion-file.ts";

/** Why a path cannot be used. Other errors are reported by their code. */
const REASONS: Readonly<Record<string, string>> = {
  ENOTDIR: "a part of the path is a file, not a directory",
  EACCES: "this user has no permission for a directory in the path",
  ELOOP: "the path is a symbolic link that leads to itself",
  ENAMETOOLONG: "the path is too long",
};

/**
 * Returns the stats of the file at the path of a store; null = there is no file. Throws StoreError if the path is not a
 * regular file. For example, SQLite would wait indefinitely at a named pipe.
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
    throw unusable(REASONS[code] ?? `the path cannot be read (${code})`);
  }
  if (!stats.isFile()) {
    throw unusable(`the path is ${kindOf(stats)}, not a file`);
  }
  return stats;
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) {
    return "a directory";
  }
  if (stats.isFIFO()) {
    return "a named pipe";
  }
  return stats.isSocket() ? "a socket" : "a device";
}

function unusable(problem: string): StoreError {
  return new StoreError(`${problem}: check DATABASE_URL`, {
    code: "STORE_PATH",
    fatal: false,
  });
}

/**
 * Throws StoreError if a log exists without its database. SQLite would delete the log, with events that no other file
 * contains.
 */
export function requireNoOrphanedLog(file: string, stats: Stats | null): void {
  if (stats !== null && stats.size > 0) {
    return;
  }
  const log = companionFile(file, "-wal");
  if ((statSync(log, { throwIfNoEntry: false })?.size ?? 0) > 0) {
    throw new StoreError(
      `the database is ${stats === null ? "missing" : "empty"}, but its log ${log} contains events: put the database file back or restore a backup; to start without these events, move the log away`,
      { code: "STORE_WITHOUT_DATABASE", fatal: false },
    );
  }
}

/** Whether opening and closing the file would change it, because a log or a journal of a killed process exists. */
export function hasPendingChanges(file: string): boolean {
  return (
    existsSync(companionFile(file, "-wal")) ||
    existsSync(companionFile(file, "-journal"))
  );
}
