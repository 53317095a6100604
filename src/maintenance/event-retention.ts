import type { AuditDraft } from "../audit/entry.ts";
import type { Purged, Store } from "../store/port.ts";
import { startPeriodic } from "../background/interval.ts";
import { inSteps } from "../background/batches.ts";

const EVERY_MS = 60_000;
const DAY_MS = 86_400_000;

/** Purges events past their days, in small steps, at start and every minute. `stop()` awaits the step under way. */
export function startEventRetention(
  deps: {
    store: Pick<Store, "purge">;
    now: () => number;
    onFault: (error: unknown) => void;
  },
  options: { eventRetentionDays: number },
): { stop: () => Promise<void> } {
  const { store, now, onFault } = deps;

  async function sweep(stopping: AbortSignal): Promise<void> {
    const receivedBefore = now() - options.eventRetentionDays * DAY_MS;
    const step = async (from: number): Promise<number | null> => {
      const at = now();
      const { next } = await store.purge({
        now: at,
        receivedBefore,
        from,
        entry: (purged) => eventsPurged(purged, { at, receivedBefore }),
      });
      return next;
    };
    await inSteps(0, step, stopping);
  }

  return startPeriodic(sweep, { everyMs: EVERY_MS, onFault });
}

function eventsPurged(
  { events, deliveries, attempts }: Purged,
  facts: { at: number; receivedBefore: number },
): AuditDraft {
  const { at, receivedBefore } = facts;
  return {
    at,
    action: "retention.purged",
    userId: "system",
    resource: "/events",
    result: "success",
    metadata: {
      events,
      deliveries,
      attempts,
      receivedBefore: new Date(receivedBefore).toISOString(),
    },
  };
}
