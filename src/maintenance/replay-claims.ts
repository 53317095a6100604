import { createInterval } from "../background/interval.ts";
import type { BackgroundService } from "../background/background-service.ts";
import type { PurgeGuard } from "./purge-guard.ts";
import type { EventStore } from "../store/port.ts";

const EVERY_MS = 1000;
/** Rows that share one transaction; more would delay requests. */
const BATCH = 500;
/** A clock that steps back must not open a window again: claims are kept for the longest window more. */
const MARGIN_SECONDS = 900;

/** Drops replay claims whose window has passed, every second, in small batches. */
export function createReplayClaimExpiry(
  deps: {
    store: Pick<EventStore, "forgetReplays">;
    guard: Pick<PurgeGuard, "purgeTime">;
    onError: (error: unknown) => void;
  },
  options: { replayWindowSeconds: number },
): BackgroundService {
  const { store, guard, onError } = deps;
  const keepSeconds = options.replayWindowSeconds + MARGIN_SECONDS;

  async function forget(stopping: AbortSignal): Promise<void> {
    const at = guard.purgeTime();
    if (at === null) {
      return;
    }
    const before = Math.floor(at / 1000) - keepSeconds;
    let dropped: number;
    do {
      dropped = await store.forgetReplays(before, BATCH);
    } while (dropped === BATCH && !stopping.aborted);
  }

  return createInterval(forget, { everyMs: EVERY_MS, onError });
}
