import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import path from "node:path";
import { StoreError } from "../../errors.ts";
import { companionFile } from "./companion-file.ts";
import { type FileId, idOf, isSameFile, statOf } from "./file-id.ts";
import type { WalIndex, WalIndexHeader } from "./wal-index.ts";

/**
 * Checks that the files of an open store are still where the next start opens them. If they are deleted, moved or replaced,
 * the open descriptors still work, but later commits are lost.
 */
export interface OpenFiles {
  /** Throws a fatal StoreError unless the database, its log and its index are in place and not truncated. */
  readonly requireInPlace: () => void;
  /** Whether only the log is missing. Then its content can still be moved into the database. */
  readonly isOnlyLogMissing: () => boolean;
  readonly close: () => void;
}

/** The position of the salts in the log (https://sqlite.org/fileformat2.html#walformat). */
const SALTS_OFFSET = 16;

/** The maximum number of comparisons of the log and its index while another process changes both. */
const TRIES = 5;

/** `id`: the database file that was opened. */
export function createOpenFiles(
  file: string,
  id: FileId,
  index: WalIndex,
): OpenFiles {
  // Symbolic links in the path may change too, so each check follows the configured path again.
  const databasePath = path.resolve(file);
  const logPath = companionFile(file, "-wal");
  const indexPath = companionFile(file, "-shm");
  let log: number | null = openSync(logPath, "r");
  const logId = idOf(fstatSync(log, { bigint: true }));
  const salts = Buffer.alloc(8);
  /** The database file has had at least this many pages. Only a VACUUM reduces their number. */
  let minPages = 0;

  const isDatabaseInPlace = (): boolean => isSameFile(statOf(databasePath), id);
  const isIndexInPlace = (): boolean => isSameFile(statOf(indexPath), index.id);

  /** `size` must be read after the header: a VACUUM first reduces the number of pages and then truncates the file. */
  function isTruncated(size: bigint, header: WalIndexHeader): boolean {
    const filePages = Number(size) / header.pageSize;
    const pages = header.pages === 0 ? minPages : header.pages;
    const required = header.isCheckpointed ? pages : Math.min(minPages, pages);
    minPages = Math.min(filePages, pages);
    return filePages < required;
  }

  function logHasSalts(expected: Buffer): boolean {
    salts.fill(0);
    if (log !== null) {
      readSync(log, salts, 0, salts.length, SALTS_OFFSET);
    }
    return salts.equals(expected);
  }

  /** Returns the header of the index; null = the salts of the log differ from those of the index. */
  function headerOfMatchingLog(): WalIndexHeader | null | "changing" {
    for (let tries = 0; tries < TRIES; tries += 1) {
      const header = index.header();
      if (header === null) {
        continue;
      }
      // Without frames in the index, the beginning of the log may not be written yet.
      if (header.frames === 0 || logHasSalts(header.salts)) {
        return header;
      }
      // Another process may have restarted the log between the two reads.
      if (index.header()?.salts.equals(header.salts) === true) {
        return null;
      }
    }
    return "changing";
  }

  function requireInPlace(): void {
    const header = headerOfMatchingLog();
    const database = statOf(databasePath);
    if (database === null || !isSameFile(database, id)) {
      throw movedError(databasePath);
    }
    if (!isSameFile(statOf(logPath), logId)) {
      throw movedError(logPath);
    }
    if (!isIndexInPlace()) {
      throw movedError(indexPath);
    }
    if (header === null) {
      throw overwrittenError(logPath);
    }
    if (header !== "changing" && isTruncated(database.size, header)) {
      throw overwrittenError(databasePath);
    }
  }

  requireInPlace();
  return {
    requireInPlace,
    isOnlyLogMissing: () =>
      statOf(logPath) === null && isDatabaseInPlace() && isIndexInPlace(),
    close() {
      if (log !== null) {
        closeSync(log);
        log = null;
      }
    },
  };
}

function movedError(file: string): StoreError {
  return new StoreError(
    `${file} was deleted, moved or replaced while the store was open: put the original back or restore a backup, then start again`,
    { code: "STORE_MOVED", fatal: true },
  );
}

function overwrittenError(file: string): StoreError {
  return new StoreError(
    `${file} was truncated or overwritten while the store was open: restore a backup, then start again`,
    { code: "STORE_OVERWRITTEN", fatal: true },
  );
}
