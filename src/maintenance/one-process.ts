import type { Control } from "../store/port.ts";

/**
 * Returns work that only one process of the store does: the holder of the lease on maintenance. Another process takes over
 * when the holder has ended.
 */
export function doneByOneProcess(
  store: Pick<Control, "holdLease">,
  work: (stopping: AbortSignal) => Promise<void>,
): (stopping: AbortSignal) => Promise<void> {
  return async (stopping) => {
    if (await store.holdLease("maintenance")) {
      await work(stopping);
    }
  };
}
