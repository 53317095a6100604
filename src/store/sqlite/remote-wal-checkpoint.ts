import type { MessagePort } from "node:worker_threads";
import {
  deserializeError,
  type SerializedError,
  serializeError,
} from "../thread/serialized-error.ts";
import { asStoreError } from "./store-error.ts";
import type { CheckpointWal } from "./wal-checkpointer.ts";

/*
 * A checkpoint writes and syncs megabytes. In a store with threads, the reader's thread does most of it while the writer's
 * thread continues to commit. The writer's thread does the rest.
 */

/** On the writer's thread: requests checkpoints from the thread at the other end of `port`, one at a time. */
export function requestWalCheckpoints(port: MessagePort): CheckpointWal {
  return () =>
    new Promise((resolve, reject) => {
      port.once("message", (error: SerializedError | null) => {
        if (error === null) {
          resolve();
        } else {
          reject(deserializeError(error));
        }
      });
      port.postMessage(null);
    });
}

/** On the reader's thread: runs the checkpoints that the writer's thread requests. */
export function serveWalCheckpoints(
  port: MessagePort,
  checkpoint: () => void,
): void {
  port.on("message", () => {
    let error: SerializedError | null = null;
    try {
      checkpoint();
    } catch (thrown) {
      error = serializeError(asStoreError(thrown));
    }
    port.postMessage(error);
  });
}
