import { setTimeout as delay } from "node:timers/promises";

/** Minimum pause after a batch, in milliseconds; the pause is also as long as the batch took. */
const PAUSE_MS = 10;

/**
 * Does work in batches that would delay requests if it were done at once. `batch` does a bounded part of it from where the
 * one before ended, and returns where to resume; null = done.
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
