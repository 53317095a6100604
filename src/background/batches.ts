import { setTimeout as delay } from "node:timers/promises";

/** After a step the store has this long to itself, and as long as the step took: accepts wait for a few milliseconds. */
const REST_MS = 10;

/**
 * Work that would hold up accepts if it were done at once. `step` does a bounded part of it from where the one before left
 * off, and says where to go on; null = done.
 */
export async function inSteps<T>(
  first: T,
  step: (from: T) => Promise<T | null>,
  stopping: AbortSignal,
): Promise<void> {
  let from: T | null = first;
  while (from !== null && !stopping.aborted) {
    const began = performance.now();
    from = await step(from);
    const rest = REST_MS + (performance.now() - began);
    await delay(rest, undefined, { signal: stopping }).catch(() => undefined);
  }
}
