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
  /** Inside a transaction: a record was written. */
  readonly recorded: () => void;
  /** Returns the changes of the committed transaction and starts the next one. `durationMs`: how long it took. */
  readonly take: (durationMs: number) => Commit;
  /** Drops the changes of a transaction that was rolled back. */
  readonly discard: () => void;
}

export function createCommitChanges(): CommitChanges {
  let entries: { position: number; line: string }[] = [];
  let due = new Set<string>();
  let exhausted: FailedAttempt[] = [];
  let records = 0;

  function discard(): void {
    entries = [];
    due = new Set();
    exhausted = [];
    records = 0;
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
    recorded() {
      records += 1;
    },
    take(durationMs) {
      const commit = { entries, due, exhausted, records, durationMs };
      discard();
      return commit;
    },
    discard,
  };
}
