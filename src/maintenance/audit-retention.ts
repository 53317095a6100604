import type { AuditLog } from "../store/port.ts";
import { inBatches } from "../background/batches.ts";
import { createInterval } from "../background/interval.ts";
import type { PurgeGuard } from "./purge-guard.ts";
import type { BackgroundService } from "../background/background-service.ts";

const EVERY_MS = 60_000;
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

/** More entries than one writer has between two checkpoints, so that a batch mostly finds one to purge up to. */
const BATCH = 1500;

interface RetentionDeps {
  readonly store: Pick<AuditLog, "purgeAudit" | "probe">;
  /** The position up to which every sink has taken the trail. */
  readonly taken: () => Promise<number>;
  readonly guard: Pick<PurgeGuard, "purgeTime">;
  /** Milliseconds of a monotonic clock. */
  readonly monotonic: () => number;
  readonly onError: (error: unknown) => void;
}

/**
 * Purges audit entries past AUDIT_RETENTION_DAYS, in batches, at start and every minute. Also shows every hour that this
 * writer lives: other processes do not purge all entries of a living writer.
 */
export function createAuditRetention(
  deps: RetentionDeps,
  options: { auditRetentionDays: number },
): BackgroundService {
  const { store, guard, monotonic, onError } = deps;
  let seenAt = monotonic();
  const sweep = async (stopping: AbortSignal): Promise<void> => {
    if (monotonic() - seenAt >= HOUR_MS) {
      seenAt = monotonic();
      await store.probe();
    }
    const at = guard.purgeTime();
    if (at !== null) {
      await purgeOldEntries({ ...deps, now: () => at }, options, stopping);
    }
  };
  return createInterval(sweep, { everyMs: EVERY_MS, onError });
}

/** Purges what is past its days now, in batches, until nothing is left or `stopping` aborts. */
export async function purgeOldEntries(
  deps: Pick<RetentionDeps, "store" | "taken"> & { now: () => number },
  options: { auditRetentionDays: number },
  stopping: AbortSignal,
): Promise<void> {
  const { store, taken, now } = deps;
  const before = now() - options.auditRetentionDays * DAY_MS;
  const batch = async (from: { position: number; limit: number }) => {
    const { entries, next } = await store.purgeAudit({
      before,
      upTo: await taken(),
      from: from.position,
      limit: from.limit,
    });
    // Entries of many writers between each other: further on there may be something to purge up to.
    const limit = entries > 0 ? BATCH : 2 * from.limit;
    return next === null ? null : { position: next, limit };
  };
  await inBatches({ position: 0, limit: BATCH }, batch, stopping);
}
