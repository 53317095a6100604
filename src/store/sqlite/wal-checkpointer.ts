import { closeSync, openSync, readSync, realpathSync } from "node:fs";
import type { Database } from "./driver.ts";

/** Where the wal-index header says how many frames the log holds (https://sqlite.org/walformat.html, section 2.1). */
const FRAMES_OFFSET = 16;

/**
 * Moves the write-ahead log into the database file when it has grown past `maxFrames` pages. SQLite would do so
 * by itself, but then a failed fsync would pass unseen and the log would be reused all the same: here it throws.
 */
export function createWalCheckpointer(
  db: Database,
  options: { file: string; maxFrames: number },
): { afterCommit: () => void; close: () => void } {
  let index: number | null = null;
  const header = new Uint32Array(1);
  return {
    afterCommit() {
      // The index is there from the first write on, and stays the same file while a connection is open.
      index ??= openSync(`${realpathSync(options.file)}-shm`, "r");
      readSync(index, header, 0, 4, FRAMES_OFFSET);
      if ((header[0] ?? 0) > options.maxFrames) {
        db.exec("PRAGMA wal_checkpoint(PASSIVE)");
      }
    },
    close() {
      if (index !== null) {
        closeSync(index);
      }
    },
  };
}
