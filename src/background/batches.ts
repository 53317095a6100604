import { setTimeout as delay } from "node:timers/promises";

/** Part of the pause after a batch, in milliseconds. The other part is the time that the batch took. */
const PAUSE_MS = 10;

/**
 * Does work in batches with pauses, so that it does not delay requests. `batch` does a limited part of the work from a position,
 * and returns the position where the next batch starts; null = the work is done.
 */
export async function inBatches<T>(
  first: T,
  batch: (from: T) => Promise<T | null>,
  stopping: AbortSignal,
): Promise<void> {
  let from: T | null = first;
  while (from !== null && !stopping.aborted) {
    const began = performance.now();
    from = await batch(from);
    const pause = PAUSE_MS + (performance.now() - began);
    await delay(pause, undefined, { signal: stopping }).catch(() => undefined);
  }
}
