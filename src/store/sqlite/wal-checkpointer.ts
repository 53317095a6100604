import type { Database } from "./driver.ts";
import type { WalIndex } from "./wal-index.ts";

/** Pages (16 MB) after which the log is checkpointed: larger checkpoints cost less in total. */
const CHECKPOINT_FRAMES = 4000;

/** Maximum size of the log file once no reader keeps it from being used again, in bytes. */
export const MAX_IDLE_LOG_BYTES = 33_554_432;

/** How long after a checkpoint, and how often, it is tried to cut off a log that is too long, in milliseconds. */
const TRUNCATE_DELAY_MS = 1000;

/** Checkpoints what is in the log now; resolves when that is in the database file. Rejects with StoreError. */
export type CheckpointWal = () => Promise<void>;

/** Checkpoints the write-ahead log of a database that is written here. */
export interface WalCheckpointer {
  /** To be called after each commit: checkpoints the log when it has grown enough. Throws driver errors. */
  readonly afterCommit: () => void;
  readonly close: () => void;
}

/**
 * SQLite would checkpoint by itself, but then a failed fsync would pass unseen and the log would be used again all the same:
 * here it is an error. `checkpointFirst` does most of a checkpoint beforehand, while commits go on. Errors outside
 * `afterCommit` go to `onError`.
 */
export function createWalCheckpointer(
  db: Database,
  { frames }: Pick<WalIndex, "frames">,
  deps: {
    checkpointFirst: CheckpointWal | null;
    onError: (error: unknown) => void;
  },
): WalCheckpointer {
  /** A checkpoint is due when the log has more frames: a reader may keep it from being used again from its start. */
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

  /** The next write uses a log that was checkpointed whole from its start. Until there is one, it is cut off here. */
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

  /** Two steps: most of a checkpoint elsewhere, while commits go on, then the rest here. */
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
      const now = frames();
      if (now < CHECKPOINT_FRAMES) {
        checkpointAbove = CHECKPOINT_FRAMES;
      }
      if (now <= checkpointAbove || isCheckpointing) {
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

/** Checkpoints as much of the log as no reader needs any more. Throws driver errors. */
export function checkpointWal(db: Database): void {
  db.exec("PRAGMA wal_checkpoint(PASSIVE)");
}
