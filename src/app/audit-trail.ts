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
import { aheadOfStore } from "../audit/sinks/ahead-of-store.ts";
import { createFileSink, readLastLine } from "../audit/sinks/file-sink.ts";
import {
  createRecentEntries,
  type RecentEntries,
} from "../audit/sinks/recent-entries.ts";
import type { AuditSink, SinkName } from "../audit/sinks/sink.ts";
import { savedPosition } from "../audit/sinks/sink-progress.ts";
import {
  type SinkPump,
  type SinkPumpDeps,
  type SinkTimes,
  startSinkPump,
} from "../audit/sinks/sink-pump.ts";
import { createStdoutSink } from "../audit/sinks/stdout-sink.ts";
import { takenPosition } from "../audit/sinks/taken-position.ts";
import { createSuppressedEntries } from "../audit/suppressed-entries.ts";
import type { BackgroundService } from "../background/background-service.ts";
import type { Config } from "../config/load-config.ts";
import type { Store } from "../store/port.ts";
import type { PublishedSink } from "../store/records.ts";
import type { Emit } from "../telemetry/happening.ts";
import type { Display } from "../terminal/display.ts";
import { reportsFailures } from "../telemetry/telemetry.ts";
import type { Shutdown } from "./stop-deadlines.ts";

/** Maximum entries of unverified requests, and of verified ones that are rejected or replays, for one address and in total. */
const LIMITS = {
  unverified: { perAddress: 60, total: 600, windowMs: 60_000 },
  verified: { perAddress: 600, total: 600, windowMs: 60_000 },
};

/** Time for the sinks to write the last entries at shutdown, in milliseconds. After the next start they write the rest. */
const LAST_ENTRIES_MS = 5000;

export interface AuditTrailDeps {
  readonly store: Store;
  /** The id of this process run in the audit chain. */
  readonly writer: string;
  /** The key that verifies checkpoints: base64 of the SPKI DER. */
  readonly publicKey: string;
  /** Names of the destinations, for the first entry. */
  readonly destinations: readonly string[];
  readonly shutdown: Pick<Shutdown, "reason" | "isRequested" | "remainingMs">;
  readonly stdout: Writable;
  readonly stdoutDisplay: Display;
  /** Creates the client that sends entries to Hex analytics. It writes the audit entries of its calls with `append`. */
  readonly createTrack: (append: AuditTrail["append"]) => Track;
  readonly version: string;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds of a monotonic clock. */
  readonly monotonic: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  readonly emit: Emit;
  /** Waiting times of the sinks. Missing times have their defaults. */
  readonly sinkTimes?: Partial<SinkTimes>;
}

/**
 * The audit trail of this process. It starts with `server.started`, feeds the sinks, and stops with `server.stopped` and a
 * checkpoint. `start` throws ConfigError if AUDIT_FILE or AUDIT_ANCHOR_FILE cannot be written.
 */
export interface AuditTrail extends Required<BackgroundService> {
  /** Appends an entry of the service itself. Does nothing after `server.stopped`. */
  readonly append: (draft: AuditDraft) => Promise<void>;
  readonly limiters: AuditLimiters;
  /** Writes one `audit.suppressed` for the entries that the limiters have suppressed since the last one. */
  readonly reportSuppressed: () => Promise<void>;
  /** Returns the state of each sink that this process feeds. */
  readonly sinks: () => Promise<readonly PublishedSink[]>;
  /** Returns the position up to which every sink has received the trail. */
  readonly takenPosition: () => Promise<number>;
}

export function createAuditTrail(
  config: Config,
  deps: AuditTrailDeps,
): AuditTrail {
  const { store, shutdown, now, monotonic, emit } = deps;
  let pumps: readonly SinkPump[] = [];
  /** The position of the last entry of this process. */
  let lastOwn = 0;
  let hasStopped = false;

  /** Sinks run until after `server.stopped`, and may still report their health then. But no entry may follow `server.stopped`. */
  async function append(draft: AuditDraft): Promise<void> {
    if (!hasStopped) {
      await store.append(draft);
    }
  }

  const onError = reportsFailures(emit);
  const sinks = configuredSinks(config, deps, append);
  const suppressed = createSuppressedEntries({
    append: store.append,
    now,
    emit,
  });
  const limiterDeps = { append, suppressed, monotonic };
  const unverifiedBytes = config.auditUnverifiedBytesPerDay;
  let budget = new ByteBudget(unverifiedBytes, monotonic(), 0);

  /** Reports the health of a sink to the trail and to telemetry. */
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
      // Reported at startup, because otherwise a changed key is noticed only when the trail is verified.
      emit({ type: "signing_key.changed", publicKey: deps.publicKey });
    }
    const remaining = await bytesLeft(store, unverifiedBytes, now());
    budget = new ByteBudget(unverifiedBytes, monotonic(), remaining);
    // A new sink has no saved position. It starts with the entries of this process.
    const from = await store.lastPosition();
    const recent = createRecentEntries(store, deps);
    const feeds = await Promise.all(
      sinks.map((sink) => feedOf(sink, recent, from)),
    );
    store.onCommit(({ entries }) => {
      if (entries.length > 0) {
        lastOwn = entries.at(-1)?.position ?? lastOwn;
        recent.add(entries);
        for (const pump of pumps) {
          pump.wake();
        }
      }
    });
    const lastLine =
      config.auditFile === null ? null : await readLastLine(config.auditFile);
    const heads = await store.heads();
    const auditFileAhead = await aheadOfStore(lastLine, heads, store);
    if (auditFileAhead !== null) {
      emit({ type: "audit_file.ahead", ...auditFileAhead });
    }
    const started = serverStarted({
      at: now(),
      version: deps.version,
      nodeVersion: process.version,
      environment: config.hexApi.environment,
      sources: config.sources,
      hexKeys: config.hexApi.keys,
      destinations: deps.destinations,
      publicKey: deps.publicKey,
      auditFileAhead,
      heads,
    });
    // Both calls in one turn share a transaction, so `server.started` always has a checkpoint that signs it. The checkpoint also
    // covers the heads of other writers, whose own entries may not be signed.
    await Promise.all([store.append(started), store.checkpoint()]);
    pumps = feeds.map((feed) =>
      startSinkPump({
        ...deps,
        ...feed,
        report,
        onError,
        times: deps.sinkTimes ?? {},
      }),
    );
  }

  /**
   * Returns what the pump of a sink reads, and where it starts. With several processes on the store, a sink of each process
   * gets only the entries of its own process, and its position is of no use to the next process.
   */
  async function feedOf(
    sink: AuditSink,
    recent: RecentEntries,
    from: number,
  ): Promise<Pick<SinkPumpDeps, "sink" | "store" | "initial">> {
    if (sink.shared || !store.isShared) {
      return {
        sink,
        store: { ...store, ...recent.reader() },
        initial: await savedPosition(store, sink.name, from),
      };
    }
    return {
      sink,
      store: {
        ...store,
        ...recent.ownReader(),
        saveSinkPosition: async () => true,
      },
      initial: { position: from, sending: from, degradedSince: null },
    };
  }

  async function sinkStates(): Promise<readonly PublishedSink[]> {
    const last = await store.lastPosition();
    return pumps.flatMap(({ sink: { name, shared }, status }) => {
      const state = status();
      if (state === null) {
        return [];
      }
      // A sink of each process gets only the entries of its own process.
      const end = shared || !store.isShared ? last : lastOwn;
      const lag = Math.max(0, end - state.position);
      return [{ name, lag, degradedSince: state.degradedSince }];
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
    sinks: sinkStates,
    takenPosition: () => takenPosition(store, names, now()),
    start,
    stop,
  };
}

function configuredSinks(
  { auditStdout, auditFile, auditAnchorFile, auditAnalytics }: Config,
  {
    stdout,
    stdoutDisplay: display,
    createTrack,
  }: Pick<AuditTrailDeps, "stdout" | "stdoutDisplay" | "createTrack">,
  append: AuditTrail["append"],
): AuditSink[] {
  const format = auditStdout ?? (display.isTerminal ? "pretty" : "prefixed");
  return [
    ...(format === "off"
      ? []
      : [createStdoutSink(stdout, { format, display })]),
    ...(auditFile === null ? [] : [createFileSink(auditFile)]),
    ...(auditAnchorFile === null ? [] : [createAnchorSink(auditAnchorFile)]),
    ...(auditAnalytics ? [createAnalyticsSink(createTrack(append))] : []),
  ];
}
