import type { EntryPlace } from "../audit/chain.ts";
import type { AuditLog, Control } from "../store/port.ts";
import { inBatches } from "../background/batches.ts";
import { createInterval } from "../background/interval.ts";
import type { PurgeGuard } from "./purge-guard.ts";
import type { BackgroundService } from "../background/background-service.ts";
import type { Emit } from "../telemetry/happening.ts";

const EVERY_MS = 60_000;
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

/** More entries than a writer has between two checkpoints. So most batches contain a checkpoint up to which they can purge. */
const BATCH = 1500;

interface RetentionDeps {
  readonly store: Pick<
    AuditLog & Control,
    "purgeAudit" | "probe" | "holdLease"
  >;
  /** Returns the position up to which every sink has received the trail. */
  readonly taken: () => Promise<number>;
  readonly guard: Pick<PurgeGuard, "purgeTime">;
  /** Milliseconds of a monotonic clock. */
  readonly monotonic: () => number;
  readonly emit: Emit;
  readonly onError: (error: unknown) => void;
}

/**
 * Purges audit entries older than AUDIT_RETENTION_DAYS, in batches, at startup and every minute. Once an hour it also marks this
 * writer as running, because other processes do not purge the last entries of a running writer. One process purges for all.
 */
export function createAuditRetention(
  deps: RetentionDeps,
  options: { auditRetentionDays: number },
): BackgroundService {
  const { store, guard, monotonic, emit, onError } = deps;
  let seenAt = monotonic();
  let hasLeftOut = false;
  const reported = new Set<string>();
  const onChanged = ({ writer, seq }: EntryPlace): void => {
    if (!reported.has(writer)) {
      reported.add(writer);
      emit({ type: "audit.changed", writer, seq });
    }
  };
  const sweep = async (stopping: AbortSignal): Promise<void> => {
    const isHourly = monotonic() - seenAt >= HOUR_MS;
    if (isHourly) {
      seenAt = monotonic();
      await store.probe();
    }
    if (!(await store.holdLease("maintenance"))) {
      return;
    }
    const at = await guard.purgeTime();
    // Skipped entries stay for a long time and can be many, so they are read only once an hour.
    if (at !== null && (isHourly || !hasLeftOut)) {
      hasLeftOut = await purgeOldEntries(
        { ...deps, now: at, onChanged },
        options,
        stopping,
      );
    }
  };
  return createInterval(sweep, { everyMs: EVERY_MS, onError });
}

/**
 * Purges entries that are too old at the time `now`, in batches, until none is left or `stopping` aborts. Returns whether entries
 * of some writers were skipped because they are not proven to be old.
 */
export async function purgeOldEntries(
  deps: Pick<RetentionDeps, "taken"> & {
    readonly store: Pick<AuditLog, "purgeAudit">;
    readonly now: number;
    readonly onChanged: (entry: EntryPlace) => void;
  },
  options: { auditRetentionDays: number },
  stopping: AbortSignal,
): Promise<boolean> {
  const { store, taken, now, onChanged } = deps;
  const before = now - options.auditRetentionDays * DAY_MS;
  let hasLeftOut = false;
  const batch = async (from: { position: number; limit: number }) => {
    const step = await store.purgeAudit({
      before,
      upTo: await taken(),
      from: from.position,
      limit: from.limit,
    });
    step.changed.forEach(onChanged);
    hasLeftOut = step.hasLeftOut;
    if (step.next === null) {
      return null;
    }
    // The entries of many writers are interleaved. A larger batch may contain a checkpoint up to which it can purge.
    const isStuck = step.entries === 0 && step.next === from.position;
    return { position: step.next, limit: isStuck ? 2 * from.limit : BATCH };
  };
  await inBatches({ position: 0, limit: BATCH }, batch, stopping);
  return hasLeftOut;
}
