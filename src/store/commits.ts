import type { FailedAttempt } from "../domain/delivery.ts";
import type { Commit } from "./port.ts";

/** The listeners that are called after each commit. */
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
          // The commit is durable, so an error in a listener must not make it fail.
          queueMicrotask(() => {
            throw error;
          });
        }
      }
    },
  };
}

/** Collects the changes of a transaction. Every driver uses it. */
export interface CommitChanges {
  /** Inside a transaction: an entry was written. */
  readonly appended: (position: number, line: string) => void;
  /** Inside a transaction: deliveries to this destination may be due once it commits. */
  readonly becomesDue: (destination: string) => void;
  /** Inside a transaction: the store exhausted a delivery. */
  readonly exhausted: (failed: FailedAttempt) => void;
  /** Returns the changes of the committed transaction and starts the next one. */
  readonly take: () => Commit;
  /** Drops the changes of a transaction that was rolled back. */
  readonly discard: () => void;
}

export function createCommitChanges(): CommitChanges {
  let entries: { position: number; line: string }[] = [];
  let due = new Set<string>();
  let exhausted: FailedAttempt[] = [];

  function discard(): void {
    entries = [];
    due = new Set();
    exhausted = [];
  }

  return {
    appended(position, line) {
      entries.push({ position, line });
    },
    becomesDue(destination) {
      due.add(destination);
    },
    exhausted(failed) {
      exhausted.push(failed);
    },
    take() {
      const commit = { entries, due, exhausted };
      discard();
      return commit;
    },
    discard,
  };
}
