import type { Database } from "./driver.ts";
import type { WalIndex } from "./wal-index.ts";

/** The log is checkpointed after this many pages (16 MB). Larger checkpoints cost less in total. */
const CHECKPOINT_FRAMES = 4000;

/** The maximum size in bytes of the log file when no reader prevents its reuse. */
export const MAX_IDLE_LOG_BYTES = 33_554_432;

/**
 * The delay between a checkpoint and the check whether the log is too long and must be truncated, and between two such
 * checks, in milliseconds.
 */
const TRUNCATE_DELAY_MS = 1000;

/** Checkpoints the current content of the log. Resolves when it is in the database file. Rejects with StoreError. */
export type CheckpointWal = () => Promise<void>;

/** Checkpoints the write-ahead log of a database that this thread writes. */
export interface WalCheckpointer {
  /** Checkpoints the log if it has grown enough. The caller calls it after each commit. Throws driver errors. */
  readonly afterCommit: () => void;
  readonly close: () => void;
}

/**
 * Creates the checkpointer that replaces SQLite's automatic checkpoints. An automatic checkpoint would hide a failed fsync
 * and reuse the log. Here a failed fsync is an error. `checkpointFirst` does most of a checkpoint beforehand, while commits
 * continue. Errors outside `afterCommit` go to `onError`.
 */
export function createWalCheckpointer(
  db: Database,
  { frames }: Pick<WalIndex, "frames">,
  deps: {
    checkpointFirst: CheckpointWal | null;
    onError: (error: unknown) => void;
  },
): WalCheckpointer {
  /**
   * A checkpoint is due when the log has more frames than this. The limit grows with the log, because a reader may prevent
   * the reuse of the log.
   */
  let checkpointAbove = CHECKPOINT_FRAMES;
  let isCheckpointing = false;
  let truncateTimer: NodeJS.Timeout | undefined;

  function checkpoint(): void {
    checkpointWal(db);
    checkpointAbove = Math.max(
      CHECKPOINT_FRAMES,
      frames() + CHECKPOINT_FRAMES / 4,
    );
    truncateLater();
  }

  /**
   * Truncates a long log. A complete checkpoint does not shorten the log file: only the next write reuses it from its
   * beginning.
   */
  async function truncate(): Promise<void> {
    truncateTimer = undefined;
    if (isCheckpointing) {
      truncateLater();
      return;
    }
    if (frames() <= 2 * CHECKPOINT_FRAMES) {
      return;
    }
    await finishAfterFirst(() => {
      const isBusy = db.pragma("wal_checkpoint(TRUNCATE)") === 1;
      if (isBusy) {
        truncateLater();
      } else {
        checkpointAbove = CHECKPOINT_FRAMES;
      }
    });
  }

  function truncateLater(): void {
    truncateTimer ??= setTimeout(() => {
      truncate().catch(deps.onError);
    }, TRUNCATE_DELAY_MS).unref();
  }

  /** Makes a checkpoint in two steps: most of it on another thread, while commits continue, then the rest here. */
  async function finishAfterFirst(finish: () => void): Promise<void> {
    isCheckpointing = true;
    try {
      await deps.checkpointFirst?.();
      finish();
    } catch (error) {
      deps.onError(error);
    } finally {
      isCheckpointing = false;
    }
  }

  return {
    afterCommit() {
      const count = frames();
      if (count < CHECKPOINT_FRAMES) {
        checkpointAbove = CHECKPOINT_FRAMES;
      }
      if (count <= checkpointAbove || isCheckpointing) {
        return;
      }
      if (deps.checkpointFirst === null) {
        checkpoint();
      } else {
        void finishAfterFirst(checkpoint);
      }
    },
    close() {
      clearTimeout(truncateTimer);
    },
  };
}

/** Checkpoints the part of the log that no reader needs any more. Throws driver errors. */
export function checkpointWal(db: Database): void {
  db.exec("PRAGMA wal_checkpoint(PASSIVE)");
}
