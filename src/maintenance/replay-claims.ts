import type { Store } from "../store/port.ts";
import { startPeriodic } from "../background/interval.ts";

const EVERY_MS = 1000;
/** Rows that share one transaction; more would hold up accepts. */
const BATCH = 500;
/** A clock that steps back must not find a window open again: claims are kept for the longest window more. */
const MARGIN_SECONDS = 900;

/** Drops replay claims whose window has passed, every second, in small batches. `stop()` awaits the last one. */
export function startForgettingReplays(
  deps: {
    store: Pick<Store, "forgetReplays">;
    now: () => number;
    onFault: (error: unknown) => void;
  },
  options: { replayWindowSeconds: number },
): { stop: () => Promise<void> } {
  const { store, now, onFault } = deps;
  const keepSeconds = options.replayWindowSeconds + MARGIN_SECONDS;

  async function forget(stopping: AbortSignal): Promise<void> {
    const before = Math.floor(now() / 1000) - keepSeconds;
    let dropped: number;
    do {
      dropped = await store.forgetReplays(before, BATCH);
    } while (dropped === BATCH && !stopping.aborted);
  }

  return startPeriodic(forget, { everyMs: EVERY_MS, onFault });
}
