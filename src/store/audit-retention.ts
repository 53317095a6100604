import { type AuditDraft } from "../core/audit-entry.ts";
import { type AuditPurged, type Store } from "../core/store.ts";
import { startPeriodic } from "../periodic.ts";
import { inSteps } from "./in-steps.ts";

const EVERY_MS = 60_000;
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

/** More than there are entries of one writer between two checkpoints: a step mostly finds one to purge up to. */
const STEP = 1500;

/**
 * Purges audit entries past their days, in small steps, at start and every minute, and says every hour that this writer
 * lives: nobody purges the entries of a living one to the end. `stop()` awaits the step under way.
 */
export function startAuditRetention(
  deps: {
    store: Pick<Store, "purgeAudit" | "probe">;
    /** Up to here every sink has had the trail. */
    taken: () => number;
    now: () => number;
    onFault: (error: unknown) => void;
  },
  options: { auditRetentionDays: number },
): { stop: () => Promise<void> } {
  const { store, taken, now, onFault } = deps;
  let seenAt = now();

  async function sweep(stopping: AbortSignal): Promise<void> {
    if (Math.abs(now() - seenAt) >= HOUR_MS) {
      seenAt = now();
      await store.probe();
    }
    const before = now() - options.auditRetentionDays * DAY_MS;
    const step = async (from: { position: number; limit: number }) => {
      const { entries, next } = await store.purgeAudit({
        before,
        upTo: taken(),
        from: from.position,
        limit: from.limit,
        entry: (purged) => entriesPurged(purged, { at: now(), before }),
      });
      // Entries of many writers between each other: further on there may be something to purge up to.
      const limit = entries > 0 ? STEP : 2 * from.limit;
      return next === null ? null : { position: next, limit };
    };
    await inSteps({ position: 0, limit: STEP }, step, stopping);
  }

  return startPeriodic(sweep, { everyMs: EVERY_MS, onFault });
}

/** Names the last entry that is gone of each writer, and so vouches for what is left. */
function entriesPurged(
  { entries, writers }: AuditPurged,
  facts: { at: number; before: number },
): AuditDraft {
  const { at, before } = facts;
  return {
    at,
    action: "retention.purged",
    userId: "system",
    resource: "/audit",
    result: "success",
    metadata: { entries, writers, before: new Date(before).toISOString() },
  };
}
