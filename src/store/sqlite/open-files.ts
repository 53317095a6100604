import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import path from "node:path";
import { StoreError } from "../../errors.ts";
import { companionFile } from "./companion-file.ts";
import { type FileId, idOf, isSameFile, statOf } from "./file-id.ts";
import type { WalIndex, WalIndexHeader } from "./wal-index.ts";

/**
 * The files of an open store, which must still be where the next start looks for them: the open descriptors go on working
 * when they are deleted, moved or replaced, and what is committed then is lost.
 */
export interface OpenFiles {
  /** Throws a fatal StoreError unless the database, its log and its index are in place and none was cut short. */
  readonly requireInPlace: () => void;
  /** Whether of the three only the log is gone: its content can still be moved into the database. */
  readonly isOnlyLogGone: () => boolean;
  readonly close: () => void;
}

/** Where the log has its salts (https://sqlite.org/fileformat2.html#walformat). */
const SALTS_OFFSET = 16;

/** How often the log and its index are compared while another process is changing both. */
const TRIES = 5;

/** `id`: the database, as it was opened. */
export function createOpenFiles(
  file: string,
  id: FileId,
  index: WalIndex,
): OpenFiles {
  // Symbolic links on the way may come to lead elsewhere too, so the path as configured is followed each time.
  const databasePath = path.resolve(file);
  const logPath = companionFile(file, "-wal");
  const indexPath = companionFile(file, "-shm");
  let log: number | null = openSync(logPath, "r");
  const logId = idOf(fstatSync(log, { bigint: true }));
  const salts = Buffer.alloc(8);
  /** The database file had as many pages; only a VACUUM makes them fewer. */
  let minPages = 0;

  const isDatabaseInPlace = (): boolean => isSameFile(statOf(databasePath), id);
  const isIndexInPlace = (): boolean => isSameFile(statOf(indexPath), index.id);

  /** `size` as of after the header was read. A VACUUM first makes the pages fewer, and cuts the file afterwards. */
  function isCutShort(size: bigint, header: WalIndexHeader): boolean {
    const filePages = Number(size) / header.pageSize;
    const pages = header.pages === 0 ? minPages : header.pages;
    const required = header.isCheckpointed ? pages : Math.min(minPages, pages);
    minPages = Math.min(filePages, pages);
    return filePages < required;
  }

  function beginsWith(expected: Buffer): boolean {
    salts.fill(0);
    if (log !== null) {
      readSync(log, salts, 0, salts.length, SALTS_OFFSET);
    }
    return salts.equals(expected);
  }

  /** The index; null when the log does not begin as it says. */
  function headerOfMatchingLog(): WalIndexHeader | null | "changing" {
    for (let tries = 0; tries < TRIES; tries += 1) {
      const header = index.header();
      if (header === null) {
        continue;
      }
      // The log of an index without frames has its beginning written later.
      if (header.frames === 0 || beginsWith(header.salts)) {
        return header;
      }
      // Another process may have begun the log anew between the two reads.
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
    if (header !== "changing" && isCutShort(database.size, header)) {
      throw overwrittenError(databasePath);
    }
  }

  requireInPlace();
  return {
    requireInPlace,
    isOnlyLogGone: () =>
      statOf(logPath) === null && isDatabaseInPlace() && isIndexInPlace(),
    close() {
      if (log !== null) {
        closeSync(log);
        log = null;
      }
    },
  };
}

function movedError(what: string): StoreError {
  return new StoreError(
    `${what} was deleted, moved or replaced while the store was open: put the original back or restore a backup, then start again`,
    { code: "STORE_MOVED", fatal: true },
  );
}

function overwrittenError(what: string): StoreError {
  return new StoreError(
    `${what} was cut short or overwritten while the store was open: restore a backup, then start again`,
    { code: "STORE_OVERWRITTEN", fatal: true },
  );
}
