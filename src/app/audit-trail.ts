import type { Writable } from "node:stream";
import type { Logger } from "pino";
import {
  createAnalyticsSink,
  type Track,
} from "../audit/sinks/analytics-sink.ts";
import { type Feeder, startFeeder } from "../audit/sinks/sink-pump.ts";
import { maybeAtWork } from "../audit/sinks/at-work.ts";
import { createFileSink, requireAuditFile } from "../audit/sinks/file-sink.ts";
import { resumedAt } from "../audit/sinks/resumed.ts";
import { serverStarted, serverStopped } from "../audit/server-entries.ts";
import { isSignedWith } from "../audit/search/signed-with.ts";
import type { AuditSink } from "../audit/sinks/sink.ts";
import { notedPosition, SEEN_EVERY_MS } from "../audit/sinks/sink-progress.ts";
import { createStdoutSink } from "../audit/sinks/stdout-sink.ts";
import type { Config } from "../config/load-config.ts";
import type { AuditDraft } from "../audit/entry.ts";
import {
  type BudgetedEntries,
  createBudgetedEntries,
  type RefusalEntries,
} from "../audit/budgeted-entries.ts";
import { createEntryBudget } from "../audit/entry-budget.ts";
import type { Store } from "../store/port.ts";
import { createSuppressedEntries } from "../audit/suppressed-entries.ts";
import { startPeriodic } from "../background/interval.ts";
import type { Shutdown } from "./shutdown.ts";
import { startAuditRetention } from "../maintenance/audit-retention.ts";

/** Entries of refused requests, for one address and in all: of those that nobody has signed, and of those that somebody has. */
const ENTRY_BUDGETS = {
  unverified: { perAddress: 60, inAll: 600, windowMs: 60_000 },
  signed: { perAddress: 600, inAll: 600, windowMs: 60_000 },
};

/** How often what was suppressed is told of, and what is new is anchored, in milliseconds. */
export interface AuditIntervals {
  readonly suppressed: number;
  readonly checkpoint: number;
}
const INTERVALS: AuditIntervals = { suppressed: 10_000, checkpoint: 60_000 };

/** What a stop leaves the sinks to take the last entries, in milliseconds; the next start goes on where they were. */
const LAST_ENTRIES_MS = 5000;

export interface AuditTrailDeps {
  readonly store: Store;
  /** What checkpoints are verified with: base64 of the SPKI DER. */
  readonly publicKey: string;
  readonly destinations: readonly string[];
  readonly shutdown: Shutdown;
  readonly logger: Logger;
  readonly stdout: Writable;
  /** Makes what sends entries to Hex analytics; its own entries go to `append`. */
  readonly createTrack: (append: (draft: AuditDraft) => Promise<void>) => Track;
  readonly version: string;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  readonly onFault: (error: unknown) => void;
  readonly intervals?: AuditIntervals;
}

export interface AuditTrail {
  /** The store, telling the sinks whenever there may be new entries in it. */
  readonly store: Store;
  /** Appends an entry of the service itself; behind its last one nothing comes any more. */
  readonly append: (draft: AuditDraft) => Promise<void>;
  readonly refusalEntries: RefusalEntries;
}

/**
 * Begins this process's part of the audit trail with `server.started`, feeds its sinks, anchors it with checkpoints, counts
 * what is suppressed and purges what is old; with `shutdown` it ends with `server.stopped` and a last checkpoint. Throws
 * ConfigError when AUDIT_FILE cannot be used.
 */
export async function openAuditTrail(
  config: Config,
  deps: AuditTrailDeps,
): Promise<AuditTrail> {
  const { shutdown, now, onFault } = deps;
  const feeders: Feeder[] = [];
  const store = wakingAfterWrites(deps.store, () => {
    for (const feeder of feeders) {
      feeder.wake();
    }
  });
  let ended = false;
  /** Sinks are fed beyond the last entry of this process, and nothing comes behind that. */
  const append = async (draft: AuditDraft): Promise<void> => {
    if (!ended) {
      await store.append(draft);
    }
  };
  if (config.auditFile !== null) {
    await requireAuditFile(config.auditFile);
  }
  const sinks = [
    ...stdoutSinks(config, deps),
    ...(config.auditFile === null ? [] : [createFileSink(config.auditFile)]),
    ...(config.auditAnalytics
      ? [createAnalyticsSink(deps.createTrack(append))]
      : []),
  ];

  if (!(await isSignedWith(store, deps.publicKey))) {
    // A key that is not set any more is easily missed, and whoever verifies would be the first to notice.
    deps.logger.warn(
      { publicKey: deps.publicKey },
      "the audit trail was signed with another key so far: verify it with both public keys",
    );
  }

  // Sinks that are new begin with this process. Where all of them go on is decided once, so that the start can say it.
  const [from, heads] = await Promise.all([
    store.lastPosition(),
    store.heads(),
  ]);
  const beginnings = await Promise.all(
    sinks.map(async (sink) => ({
      sink,
      noted: await notedPosition(store, sink.name, from),
    })),
  );
  const resumed = await resumedAt(
    store,
    beginnings.map(({ noted }) => noted.position),
  );
  const started = serverStarted({
    at: now(),
    version: deps.version,
    nodeVersion: process.version,
    environment: config.hexApi.environment,
    sources: config.sources,
    hexKeys: config.hexApi.keys,
    destinations: deps.destinations,
    publicKey: deps.publicKey,
    heads: await store.heads(),
    resumed,
    beside: await maybeAtWork(store, heads, from),
  });
  // Asked for at once, they share a transaction: no start is there without the checkpoint that anchors it, and with it the
  // ends of other writers, which nobody may have signed.
  await Promise.all([store.append(started), store.checkpoint()]);
  const tell = createTell(append, deps);
  for (const { sink, noted } of beginnings) {
    feeders.push(startFeeder({ ...deps, store, sink, noted, tell }));
  }
  const suppressed = createSuppressedEntries({ append: store.append, now });
  const withinBudget = (budget: keyof typeof ENTRY_BUDGETS): BudgetedEntries =>
    createBudgetedEntries({
      append: store.append,
      budget: createEntryBudget(ENTRY_BUDGETS[budget]),
      suppressed,
    });
  const refusalEntries = {
    unverified: withinBudget("unverified"),
    signed: withinBudget("signed"),
  };

  shutdown.onRelease(async () => {
    await suppressed.flush();
    const stopped = serverStopped(now(), {
      reason: shutdown.reason(),
      good: shutdown.isDraining(),
    });
    ended = true;
    await Promise.all([store.append(stopped), store.checkpoint()]);
    const withinMs = Math.min(LAST_ENTRIES_MS, shutdown.remainingMs());
    await Promise.all(feeders.map((feeder) => feeder.stop(withinMs)));
  });

  const every = (everyMs: number, work: () => Promise<void>): void => {
    shutdown.onRelease(startPeriodic(work, { everyMs, onFault }).stop);
  };
  const intervals = deps.intervals ?? INTERVALS;
  every(intervals.suppressed, suppressed.flush);
  every(intervals.checkpoint, store.checkpoint);
  const retention = startAuditRetention(
    {
      store,
      taken: () => takenByAll(store, sinks, now()),
      now,
      onFault,
    },
    config,
  );
  shutdown.onRelease(retention.stop);

  return { store, append, refusalEntries };
}

function stdoutSinks(
  { auditStdout: format }: Config,
  { stdout }: AuditTrailDeps,
): AuditSink[] {
  return format === "off" ? [] : [createStdoutSink(stdout, { format })];
}

/**
 * What a sink has not had yet is not purged, whichever process feeds it; stdout may drop. One that this process does not
 * have, and that nobody has fed for a while, is not configured any more.
 */
async function takenByAll(
  store: Store,
  own: readonly AuditSink[],
  now: number,
): Promise<number> {
  const alive = (await store.notedSinks()).filter(
    ({ name, savedAt }) =>
      name !== "stdout" &&
      (now - savedAt < 24 * SEEN_EVERY_MS ||
        own.some((sink) => sink.name === name)),
  );
  return Math.min(
    Number.MAX_SAFE_INTEGER,
    ...alive.map(({ position }) => position),
  );
}

/** Tells of a sink in the trail and on the operational log. */
function createTell(
  append: (draft: AuditDraft) => Promise<void>,
  { logger, onFault }: Pick<AuditTrailDeps, "logger" | "onFault">,
): (draft: AuditDraft) => void {
  return (draft) => {
    if (draft.result === "failure") {
      logger.warn(draft.metadata, "an audit sink takes no entries");
    } else {
      logger.info(draft.metadata, "an audit sink takes entries again");
    }
    append(draft).catch(onFault);
  };
}

function wakingAfterWrites(store: Store, wake: () => void): Store {
  const waking =
    <A extends unknown[], T>(write: (...args: A) => Promise<T>) =>
    async (...args: A): Promise<T> => {
      const result = await write(...args);
      wake();
      return result;
    };
  return {
    ...store,
    append: waking(store.append),
    record: waking(store.record),
    claim: waking(store.claim),
    settle: waking(store.settle),
    redeliver: waking(store.redeliver),
    setPaused: waking(store.setPaused),
    purge: waking(store.purge),
    purgeAudit: waking(store.purgeAudit),
    checkpoint: waking(store.checkpoint),
  };
}
