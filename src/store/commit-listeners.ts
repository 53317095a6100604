import type { Commit } from "./port.ts";

/** Tells listeners what each transaction changed. Shared by all drivers. */
export interface CommitListeners {
  readonly add: (listener: (commit: Commit) => void) => void;
  /** Inside a transaction: deliveries to this destination may be due once it commits. */
  readonly becomesDue: (destination: string) => void;
  readonly committed: (change: { hasEntries: boolean }) => void;
  readonly rolledBack: () => void;
}

export function createCommitListeners(): CommitListeners {
  const listeners: ((commit: Commit) => void)[] = [];
  let due = new Set<string>();
  return {
    add(listener) {
      listeners.push(listener);
    },
    becomesDue(destination) {
      due.add(destination);
    },
    committed({ hasEntries }) {
      const commit = { hasEntries, due };
      due = new Set();
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
    rolledBack() {
      due = new Set();
    },
  };
}
