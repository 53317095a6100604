import { closeSync, openSync, readSync, realpathSync } from "node:fs";
import type { Database } from "./driver.ts";
import type { MoveLog } from "./log-mover.ts";

/** Where the wal-index header says how many frames the log holds (https://sqlite.org/walformat.html, section 2.1). */
const FRAMES_OFFSET = 16;

/** The log is moved into the database file when it has grown by so many pages (16 MB): larger moves cost less in all. */
const MOVE_FRAMES = 4000;

/** Once a reader that kept the log from being used again has gone, its file shrinks to this. */
export const MAX_IDLE_LOG_BYTES = 33_554_432;

/** How often it is tried again to move a log that a reader holds, in milliseconds. */
const RETRY_MS = 1000;

/** The write-ahead log of a database that is written here. */
export interface WriteAheadLog {
  /** To be called after each commit: moves the log when it has grown enough. Throws driver errors. */
  readonly afterCommit: () => void;
  readonly close: () => void;
}

/**
 * SQLite would move the log by itself, but then a failed fsync would pass unseen and the log would be used again all the
 * same: here it is an error. `moveFirst` moves most of the log beforehand, while commits go on. `onError` is told what goes
 * wrong outside `afterCommit`.
 */
export function createWriteAheadLog(
  db: Database,
  file: string,
  deps: { moveFirst: MoveLog | null; onError: (error: unknown) => void },
): WriteAheadLog {
  let index: number | null = null;
  const header = new Uint32Array(1);
  /** The next move is due when the log is longer than this: a reader may keep it from being used again from its start. */
  let moveAbove = MOVE_FRAMES;
  let isMoving = false;
  let retry: NodeJS.Timeout | undefined;

  function frames(): number {
    // The index is there from the first write on, and stays the same file while a connection is open.
    index ??= openSync(`${realpathSync(file)}-shm`, "r");
    readSync(index, header, 0, 4, FRAMES_OFFSET);
    return header[0] ?? 0;
  }

  function move(): void {
    moveLog(db);
    moveAbove = Math.max(MOVE_FRAMES, frames() + MOVE_FRAMES / 4);
    retry ??= setTimeout(shrink, RETRY_MS).unref();
  }

  /** A log that was moved whole is used again from its start by the next write. Until there is one, it is cut off here. */
  function shrink(): void {
    retry = undefined;
    try {
      if (frames() > 2 * MOVE_FRAMES) {
        const isBusy = db.pragma("wal_checkpoint(TRUNCATE)") === 1;
        retry = isBusy ? setTimeout(shrink, RETRY_MS).unref() : undefined;
        moveAbove = isBusy ? moveAbove : MOVE_FRAMES;
      }
    } catch (error) {
      deps.onError(error);
    }
  }

  async function moveInTwoSteps(moveFirst: MoveLog): Promise<void> {
    isMoving = true;
    try {
      await moveFirst();
      move();
    } catch (error) {
      deps.onError(error);
    } finally {
      isMoving = false;
    }
  }

  return {
    afterCommit() {
      const now = frames();
      if (now < MOVE_FRAMES) {
        moveAbove = MOVE_FRAMES;
      }
      if (now <= moveAbove || isMoving) {
        return;
      }
      if (deps.moveFirst === null) {
        move();
      } else {
        void moveInTwoSteps(deps.moveFirst);
      }
    },
    close() {
      clearTimeout(retry);
      if (index !== null) {
        closeSync(index);
      }
    },
  };
}

/** Moves as much of the log as no reader needs any more. Throws driver errors. */
export function moveLog(db: Database): void {
  db.exec("PRAGMA wal_checkpoint(PASSIVE)");
}
