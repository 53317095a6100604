import type { FailedAttempt } from "../domain/delivery.ts";
import type { Commit } from "./port.ts";

/** The listeners for commits. */
export interface CommitListeners {
  readonly add: (listener: (commit: Commit) => void) => void;
  readonly notify: (commit: Commit) => void;
}

export function createCommitListeners(): CommitListeners {
  const listeners: ((commit: Commit) => void)[] = [];
  return {
    add(listener) {
      listeners.push(listener);
    },
    notify(commit) {
      for (const listener of listeners) {
        try {
          listener(commit);
        } catch (error) {
          // The commit is durable, whatever its listeners do: a bug of theirs must not make it look failed.
          queueMicrotask(() => {
            throw error;
          });
        }
      }
    },
  };
}

/** Gathers what a transaction changes. Shared by all drivers. */
export interface CommitChanges {
  /** Inside a transaction: an entry was written. The positions of those of one transaction follow each other. */
  readonly appended: (position: number, line: string) => void;
  /** Inside a transaction: deliveries to this destination may be due once it commits. */
  readonly becomesDue: (destination: string) => void;
  /** Inside a transaction: the store gave a delivery up. */
  readonly exhausted: (failed: FailedAttempt) => void;
  /** What was gathered; the next transaction begins. */
  readonly take: () => Commit;
  /** The transaction was rolled back: the next one begins. */
  readonly discard: () => void;
}

export function createCommitChanges(): CommitChanges {
  let position = 0;
  let lines: string[] = [];
  let due = new Set<string>();
  let exhausted: FailedAttempt[] = [];

  function discard(): void {
    lines = [];
    due = new Set();
    exhausted = [];
  }

  return {
    appended(at, line) {
      if (lines.length === 0) {
        position = at;
      }
      lines.push(line);
    },
    becomesDue(destination) {
      due.add(destination);
    },
    exhausted(failed) {
      exhausted.push(failed);
    },
    take() {
      const commit = { entries: { position, lines }, due, exhausted };
      discard();
      return commit;
    },
    discard,
  };
}
