import { setTimeout as delay } from "node:timers/promises";

/** Pause after a batch, in milliseconds, in addition to the time that the batch took. */
const PAUSE_MS = 10;

/**
 * Does work in batches with pauses, so that it does not delay requests. `batch` does a limited part of the work, starting where
 * the last one ended, and returns where to resume; null = done.
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
