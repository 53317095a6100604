import type { EntryPlace } from "../audit/chain.ts";
import type { AuditLog } from "../store/port.ts";
import { inBatches } from "../background/batches.ts";
import { createInterval } from "../background/interval.ts";
import type { PurgeGuard } from "./purge-guard.ts";
import type { BackgroundService } from "../background/background-service.ts";
import type { Emit } from "../telemetry/happening.ts";

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
  readonly emit: Emit;
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
    const at = guard.purgeTime();
    // What was left out stays for long, and may be much: it is not read again every minute.
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
 * Purges what is past its days at a time, in batches, until nothing is left or `stopping` aborts. Returns whether writers were left
 * out, whose entries are not proven to be old.
 */
export async function purgeOldEntries(
  deps: Pick<RetentionDeps, "store" | "taken"> & {
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
    // Entries of many writers between each other: further on there may be something to purge up to.
    const isStuck = step.entries === 0 && step.next === from.position;
    return { position: step.next, limit: isStuck ? 2 * from.limit : BATCH };
  };
  await inBatches({ position: 0, limit: BATCH }, batch, stopping);
  return hasLeftOut;
}
