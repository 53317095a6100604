import { setTimeout as delay } from "node:timers/promises";
import { type AuditDraft } from "../core/audit-entry.ts";
import { type Purged, type Store } from "../core/store.ts";
import { startPeriodic } from "./periodic.ts";

const EVERY_MS = 60_000;
const DAY_MS = 86_400_000;
/** After a step the store has this long to itself, and as long as the step took: accepts wait for a few milliseconds. */
const REST_MS = 10;

/** Purges events past their days, in small steps, at start and every minute. `stop()` awaits the step under way. */
export function startRetention(
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
    let from: number | null = null;
    do {
      const at = now();
      const step = await store.purge({
        now: at,
        receivedBefore,
        from,
        entry: (purged) => retentionPurged(purged, { at, receivedBefore }),
      });
      from = step.next;
      const rest = REST_MS + Math.max(0, now() - at);
      await delay(rest, undefined, { signal: stopping }).catch(() => undefined);
    } while (from !== null && !stopping.aborted);
  }

  return startPeriodic(sweep, { everyMs: EVERY_MS, onFault });
}

function retentionPurged(
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
