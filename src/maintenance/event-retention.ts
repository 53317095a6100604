import type { Control, EventStore } from "../store/port.ts";
import { inBatches } from "../background/batches.ts";
import { createInterval } from "../background/interval.ts";
import { doneByOneProcess } from "./one-process.ts";
import type { PurgeGuard } from "./purge-guard.ts";
import type { BackgroundService } from "../background/background-service.ts";

const EVERY_MS = 60_000;
const DAY_MS = 86_400_000;

/**
 * Purges events older than EVENT_RETENTION_DAYS, in batches, at startup and every minute. One process does it for all.
 */
export function createEventRetention(
  deps: {
    store: Pick<EventStore & Control, "purge" | "holdLease">;
    guard: Pick<PurgeGuard, "purgeTime">;
    now: () => number;
    onError: (error: unknown) => void;
  },
  options: { eventRetentionDays: number },
): BackgroundService {
  const { store, guard, now, onError } = deps;

  async function sweep(stopping: AbortSignal): Promise<void> {
    const at = await guard.purgeTime();
    if (at === null) {
      return;
    }
    const receivedBefore = at - options.eventRetentionDays * DAY_MS;
    const batch = async (from: number): Promise<number | null> => {
      const { next } = await store.purge({
        now: now(),
        receivedBefore,
        from,
      });
      return next;
    };
    await inBatches(0, batch, stopping);
  }

  return createInterval(doneByOneProcess(store, sweep), {
    everyMs: EVERY_MS,
    onError,
  });
}
