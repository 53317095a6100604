import type { AuditDraft } from "../audit/entry.ts";
import type { AuditPurged, Store } from "../store/port.ts";
import { startPeriodic } from "../background/interval.ts";
import { inSteps } from "../background/batches.ts";

const EVERY_MS = 60_000;
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

/** More than there are entries of one writer between two checkpoints: a step mostly finds one to purge up to. */
const STEP = 1500;

interface RetentionDeps {
  readonly store: Pick<Store, "purgeAudit" | "probe">;
  /** Up to here every sink has had the trail. */
  readonly taken: () => Promise<number>;
  readonly now: () => number;
  readonly onFault: (error: unknown) => void;
}

/**
 * Purges audit entries past their days, in small steps, at start and every minute, and says every hour that this writer
 * lives: nobody purges the entries of a living one to the end. `stop()` awaits the step under way.
 */
export function startAuditRetention(
  deps: RetentionDeps,
  options: { auditRetentionDays: number },
): { stop: () => Promise<void> } {
  const { store, now, onFault } = deps;
  let seenAt = now();
  const sweep = async (stopping: AbortSignal): Promise<void> => {
    if (Math.abs(now() - seenAt) >= HOUR_MS) {
      seenAt = now();
      await store.probe();
    }
    await purgeOldEntries(deps, options, stopping);
  };
  return startPeriodic(sweep, { everyMs: EVERY_MS, onFault });
}

/** Purges what is past its days now, step by step, until nothing is left or it is told to stop. */
export async function purgeOldEntries(
  deps: Pick<RetentionDeps, "store" | "taken" | "now">,
  options: { auditRetentionDays: number },
  stopping: AbortSignal,
): Promise<void> {
  const { store, taken, now } = deps;
  const before = now() - options.auditRetentionDays * DAY_MS;
  const step = async (from: { position: number; limit: number }) => {
    const { entries, next } = await store.purgeAudit({
      before,
      upTo: await taken(),
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
