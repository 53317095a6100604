import type { MessagePort } from "node:worker_threads";
import { received, sendable } from "../thread/messages.ts";

/*
 * Moving the write-ahead log into the database file writes and syncs megabytes. Where the store has threads, the reader's
 * moves most of it while the writer goes on committing, which then only moves the rest.
 */

/** Moves what is in the log now; resolves when that is in the file. Rejects with StoreError. */
export type MoveLog = () => Promise<void>;

type Answer = Parameters<typeof received>[0] | null;

/** In the writer's thread: asks the thread at the other end of `port`. One request at a time. */
export function askToMoveLog(port: MessagePort): MoveLog {
  return () =>
    new Promise((resolve, reject) => {
      port.once("message", (error: Answer) => {
        if (error === null) {
          resolve();
        } else {
          reject(received(error));
        }
      });
      port.postMessage(null);
    });
}

/** In the reader's thread: does what is asked for. */
export function answerMoveLog(port: MessagePort, move: () => void): void {
  port.on("message", () => {
    let answer: Answer = null;
    try {
      move();
    } catch (error) {
      answer = sendable(error);
    }
    port.postMessage(answer);
  });
}
