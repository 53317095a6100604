import { createInterval } from "../background/interval.ts";
import type { BackgroundService } from "../background/background-service.ts";
import { doneByOneProcess } from "./one-process.ts";
import type { PurgeGuard } from "./purge-guard.ts";
import type { Control, EventStore } from "../store/port.ts";

const EVERY_MS = 1000;
/** Maximum rows in one transaction. More would delay requests. */
const BATCH = 500;
/** Claims are kept this much longer: the longest replay window. Otherwise a clock that steps back could allow a replay. */
const MARGIN_SECONDS = 900;

/** Deletes replay claims whose window has passed, every second, in small batches. One process does it for all. */
export function createReplayClaimExpiry(
  deps: {
    store: Pick<EventStore & Control, "forgetReplays" | "holdLease">;
    guard: Pick<PurgeGuard, "purgeTime">;
    onError: (error: unknown) => void;
  },
  options: { replayWindowSeconds: number },
): BackgroundService {
  const { store, guard, onError } = deps;
  const keepSeconds = options.replayWindowSeconds + MARGIN_SECONDS;

  async function forget(stopping: AbortSignal): Promise<void> {
    const at = await guard.purgeTime();
    if (at === null) {
      return;
    }
    const before = Math.floor(at / 1000) - keepSeconds;
    let dropped: number;
    do {
      dropped = await store.forgetReplays(before, BATCH);
    } while (dropped === BATCH && !stopping.aborted);
  }

  return createInterval(doneByOneProcess(store, forget), {
    everyMs: EVERY_MS,
    onError,
  });
}
