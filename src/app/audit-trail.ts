import type { Writable } from "node:stream";
import {
  type AuditLimiters,
  createAuditLimiter,
} from "../audit/audit-limiter.ts";
import { ByteBudget } from "../audit/byte-budget.ts";
import type { AuditDraft } from "../audit/entry.ts";
import { bytesLeft } from "../audit/search/earlier-bytes.ts";
import { isSignedWith } from "../audit/search/signed-with.ts";
import { serverStarted, serverStopped } from "../audit/server-entries.ts";
import {
  createAnalyticsSink,
  type Track,
} from "../audit/sinks/analytics-sink.ts";
import { createAnchorSink } from "../audit/sinks/anchor-sink.ts";
import { requireAppendable } from "../audit/sinks/append-file.ts";
import { createFileSink } from "../audit/sinks/file-sink.ts";
import { createRecentEntries } from "../audit/sinks/recent-entries.ts";
import type { AuditSink, SinkName } from "../audit/sinks/sink.ts";
import { savedPosition } from "../audit/sinks/sink-progress.ts";
import {
  type SinkPump,
  type SinkTimes,
  startSinkPump,
} from "../audit/sinks/sink-pump.ts";
import { createStdoutSink } from "../audit/sinks/stdout-sink.ts";
import { takenPosition } from "../audit/sinks/taken-position.ts";
import { createSuppressedEntries } from "../audit/suppressed-entries.ts";
import type { BackgroundService } from "../background/background-service.ts";
import type { Config } from "../config/load-config.ts";
import type { Store } from "../store/port.ts";
import type { Emit } from "../telemetry/happening.ts";
import { reportsFailures } from "../telemetry/telemetry.ts";
import type { Shutdown } from "./stop-deadlines.ts";

/** Entries of rejected requests, for one address and in all: unverified ones, and verified ones. */
const LIMITS = {
  unverified: { perAddress: 60, total: 600, windowMs: 60_000 },
  verified: { perAddress: 600, total: 600, windowMs: 60_000 },
};

/** Time that a stop gives the sinks for the last entries, in milliseconds; the next start resumes where they were. */
const LAST_ENTRIES_MS = 5000;

export interface AuditTrailDeps {
  readonly store: Store;
  /** The key that verifies checkpoints: base64 of the SPKI DER. */
  readonly publicKey: string;
  /** Names, for the first entry. */
  readonly destinations: readonly string[];
  readonly shutdown: Pick<Shutdown, "reason" | "isRequested" | "remainingMs">;
  readonly stdout: Writable;
  /** Makes the client that sends entries to Hex analytics; entries about its calls go to `append`. */
  readonly createTrack: (append: AuditTrail["append"]) => Track;
  readonly version: string;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds of a monotonic clock. */
  readonly monotonic: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  readonly emit: Emit;
  /** How long sinks wait; those left out have their defaults. */
  readonly sinkTimes?: Partial<SinkTimes>;
}

/**
 * This process's part of the audit trail. It starts with `server.started`, feeds the sinks, and stops with
 * `server.stopped` and a checkpoint. Its start throws ConfigError when AUDIT_FILE or AUDIT_ANCHOR_FILE cannot be used.
 */
export interface AuditTrail extends Required<BackgroundService> {
  /** Appends an entry of the service itself. After `server.stopped` nothing is written any more. */
  readonly append: (draft: AuditDraft) => Promise<void>;
  readonly limiters: AuditLimiters;
  /** Writes one `audit.suppressed` for the entries that the limiters have counted since the last. */
  readonly reportSuppressed: () => Promise<void>;
  /** The position up to which every sink has taken the trail. */
  readonly takenPosition: () => Promise<number>;
}

export function createAuditTrail(
  config: Config,
  deps: AuditTrailDeps,
): AuditTrail {
  const { store, shutdown, now, monotonic, emit } = deps;
  let pumps: readonly SinkPump[] = [];
  let hasStopped = false;

  /** The sinks are fed after `server.stopped`, and entries about that must not follow it. */
  async function append(draft: AuditDraft): Promise<void> {
    if (!hasStopped) {
      await store.append(draft);
    }
  }

  const onError = reportsFailures(emit);
  const sinks = configuredSinks(config, deps, append);
  const suppressed = createSuppressedEntries({ append: store.append, now });
  const limiterDeps = { append, suppressed, monotonic };
  const unverifiedBytes = config.auditUnverifiedBytesPerDay;
  let budget = new ByteBudget(unverifiedBytes, monotonic(), 0);

  /** The health of a sink, in the trail and for telemetry. */
  function report(draft: AuditDraft): void {
    const type =
      draft.result === "failure" ? "sink.degraded" : "sink.recovered";
    emit({ type, facts: draft.metadata });
    append(draft).catch(onError);
  }

  async function start(): Promise<void> {
    if (config.auditFile !== null) {
      await requireAppendable("AUDIT_FILE", config.auditFile);
    }
    if (config.auditAnchorFile !== null) {
      await requireAppendable("AUDIT_ANCHOR_FILE", config.auditAnchorFile);
    }
    if (!(await isSignedWith(store, deps.publicKey))) {
      // A changed key is easily missed: otherwise the first to notice is the one who verifies the trail.
      emit({ type: "signing_key.changed", publicKey: deps.publicKey });
    }
    const left = await bytesLeft(store, unverifiedBytes, now());
    budget = new ByteBudget(unverifiedBytes, monotonic(), left);
    // New sinks begin with this process.
    const from = await store.lastPosition();
    const beginnings = await Promise.all(
      sinks.map(async (sink) => ({
        sink,
        initial: await savedPosition(store, sink.name, from),
      })),
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
    });
    // Requested together, they share a transaction: no `server.started` is there without the checkpoint that anchors it,
    // and with it the heads of other writers, which may have no signature.
    await Promise.all([store.append(started), store.checkpoint()]);
    const recent = createRecentEntries(store, monotonic);
    pumps = beginnings.map(({ sink, initial }) =>
      startSinkPump({
        ...deps,
        store: { ...store, ...recent.reader() },
        sink,
        initial,
        report,
        onError,
        times: deps.sinkTimes ?? {},
      }),
    );
    store.onCommit(({ entries }) => {
      if (entries.lines.length > 0) {
        recent.add(entries);
        for (const pump of pumps) {
          pump.wake();
        }
      }
    });
  }

  async function stop(): Promise<void> {
    await suppressed.flush();
    const stopped = serverStopped(now(), {
      reason: shutdown.reason(),
      good: shutdown.isRequested(),
    });
    hasStopped = true;
    await Promise.all([store.append(stopped), store.checkpoint()]);
    const withinMs = Math.min(LAST_ENTRIES_MS, shutdown.remainingMs());
    await Promise.all(pumps.map((pump) => pump.stop(withinMs)));
  }

  const names: readonly SinkName[] = sinks.map(({ name }) => name);
  return {
    append,
    limiters: {
      unverified: createAuditLimiter(
        {
          ...limiterDeps,
          takeBytes: (bytes, isFirst) =>
            budget.take(bytes, monotonic(), isFirst),
        },
        LIMITS.unverified,
      ),
      verified: createAuditLimiter(limiterDeps, LIMITS.verified),
    },
    reportSuppressed: suppressed.flush,
    takenPosition: () => takenPosition(store, names, now()),
    start,
    stop,
  };
}

function configuredSinks(
  { auditStdout, auditFile, auditAnchorFile, auditAnalytics }: Config,
  { stdout, createTrack }: Pick<AuditTrailDeps, "stdout" | "createTrack">,
  append: AuditTrail["append"],
): AuditSink[] {
  return [
    ...(auditStdout === "off"
      ? []
      : [createStdoutSink(stdout, { format: auditStdout })]),
    ...(auditFile === null ? [] : [createFileSink(auditFile)]),
    ...(auditAnchorFile === null ? [] : [createAnchorSink(auditAnchorFile)]),
    ...(auditAnalytics ? [createAnalyticsSink(createTrack(append))] : []),
  ];
}
