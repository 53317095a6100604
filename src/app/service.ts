import type { Destination } from "../domain/destination.ts";
import type { KeyObject } from "node:crypto";
import type { Writable } from "node:stream";
import { publicKeyOf } from "../audit/checkpoint.ts";
import type { SinkTimes } from "../audit/sinks/sink-pump.ts";
import { unlessAborted } from "../background/unless-aborted.ts";
import { createInterval } from "../background/interval.ts";
import {
  type BackgroundService,
  createLifecycle,
} from "../background/background-service.ts";
import type { DestinationConfig } from "../config/destinations.ts";
import type { Config } from "../config/load-config.ts";
import { createDispatcher, type Dispatcher } from "../delivery/dispatcher.ts";
import { SIGNING_KEY_REQUIRED } from "../config/errors.ts";
import { ConfigError, type StoreError } from "../errors.ts";
import type { ServerLimits } from "../http/server.ts";
import { createIntake } from "../intake/intake.ts";
import { createAuditRetention } from "../maintenance/audit-retention.ts";
import { createEventRetention } from "../maintenance/event-retention.ts";
import { createKeyAgeChecks } from "../maintenance/key-age.ts";
import { createPurgeGuard } from "../maintenance/purge-guard.ts";
import { createReplayClaimExpiry } from "../maintenance/replay-claims.ts";
import { createNotifier } from "../notify/notifier.ts";
import { createStatusPublisher } from "../status/status-publisher.ts";
import { readStatus } from "../status/status-report.ts";
import { openStore, signingKeyFile } from "../store/open.ts";
import { obtainSigningKey } from "../store/signing-key-file.ts";
import type { Emit } from "../telemetry/happening.ts";
import { createTelemetry, reportsFailures } from "../telemetry/telemetry.ts";
import { flushTraces } from "../telemetry/traces.ts";
import type { Display } from "../terminal/display.ts";
import { createAuditTrail } from "./audit-trail.ts";
import {
  createDestination,
  type DestinationDeps,
  loadConfiguredHandlers,
} from "./destinations.ts";
import { createListeners } from "./listeners.ts";
import { deriveLiveConfig, type LiveConfigHolder } from "./live-config.ts";
import { createHandlerHexApi, createTrack } from "./live-hex-api.ts";
import { openWhenReachable } from "./open-when-reachable.ts";
import { createMeasuring } from "./measuring.ts";
import { createReload } from "./reload.ts";
import { createScrape } from "./scrape.ts";
import { createShutdown } from "./stop-deadlines.ts";
import { createFileWatcher } from "./watch-files.ts";

/** Intervals of recurring work, in milliseconds. Each comment says what is done after the interval. */
export interface Intervals {
  /** Suppressed audit entries are reported. */
  readonly suppressed: number;
  /** A checkpoint is written for new audit entries. */
  readonly checkpoint: number;
  /** The age of secrets is checked. */
  readonly keyAge: number;
  /** Files with secrets are polled. */
  readonly fileWatch: number;
  /** The last uses of signing secrets are saved. */
  readonly keyUses: number;
  /** The status of the process is published. */
  readonly status: number;
}

const INTERVALS: Intervals = {
  suppressed: 10_000,
  checkpoint: 60_000,
  keyAge: 86_400_000,
  fileWatch: 500,
  keyUses: 5000,
  status: 2000,
};

/** The maximum time of a shutdown for the last notifications, and again for the last traces, in milliseconds. */
const MAX_FLUSH_MS = 1000;

/** The dependencies of the service on its environment. */
export interface ServiceDeps extends Omit<DestinationDeps, "hex"> {
  /** Receives the audit trail, unless AUDIT_STDOUT is off. */
  readonly stdout: Writable;
  /** The display of stdout. It decides the format of the audit trail if AUDIT_STDOUT is not set. */
  readonly stdoutDisplay: Display;
  readonly fetch: typeof fetch;
  /** Default: `openStore`. */
  readonly openStore?: typeof openStore;
  /** Milliseconds of a monotonic clock, for waits, budgets and deadlines. */
  readonly monotonic: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  /** Called when the store cannot be trusted any more. Nothing is acknowledged afterwards, and the process should end. */
  readonly onFatal: (error: StoreError) => void;
  /** Aborted with the reason for a shutdown. A startup in progress then rejects, and stops what it has started. */
  readonly stopRequest?: AbortSignal;
  /** Reads the configuration again. Without it a reload changes nothing. Throws ConfigError. */
  readonly readConfig?: () => Config;
  /** Returns the maximum number of open files and sockets of this process. */
  readonly descriptorLimit: () => number;
  readonly limits?: Partial<ServerLimits>;
  readonly intervals?: Partial<Intervals>;
  readonly sinkTimes?: Partial<SinkTimes>;
  /** Time limit of one attempt of a Hex API call, in milliseconds. */
  readonly hexTimeoutMs?: number;
}

export interface Service {
  readonly port: number;
  /** Null if the management listener is off. */
  readonly adminPort: number | null;
  /** Reads the configuration again. Resolves when it is applied or rejected. */
  readonly reload: () => Promise<void>;
  /** Drains and closes the listeners, ends the attempts, and writes the last audit entry, which contains `reason`. */
  readonly stop: (reason: string) => Promise<void>;
}

/**
 * The composition root. Creates all parts of the service, starts them in order, and resolves when requests are served. A
 * shutdown or a failed startup stops them in reverse order.
 */
export async function startService(
  config: Config,
  given: ServiceDeps,
): Promise<Service> {
  const { now, monotonic, stopRequest } = given;
  const measuring = createMeasuring(given);
  const intervals = { ...INTERVALS, ...given.intervals };
  const shutdown = createShutdown(config, monotonic, stopRequest);
  // The import of the handlers module may never end.
  const handlers = await unlessAborted(
    loadConfiguredHandlers(config, given.handlerCalls),
    stopRequest,
  );
  const live: LiveConfigHolder = {
    current: deriveLiveConfig(config, handlers),
  };
  const currentConfig = (): Config => live.current.config;
  const notifier = createNotifier({
    ...given,
    target: () => currentConfig().notify,
  });
  const emit = createTelemetry([
    given.emit,
    measuring.observe,
    notifier.notify,
  ]);
  const deps: ServiceDeps = { ...given, emit };
  const onError = reportsFailures(emit);

  const signingKey = obtainKey(config, emit);
  const writer = deps.randomHex(8);
  const opening = openWhenReachable(
    () =>
      (deps.openStore ?? openStore)(config.databaseUrl, {
        writer,
        signingKey,
        now,
        onFatal: deps.onFatal,
        delivers: true,
        poolSize: config.databasePool,
      }),
    { monotonic, emit, stopRequest },
  );
  // Opening can take a long time: it may wait for the lock of another process, or migrate the schema.
  const store = await unlessAborted(opening, stopRequest).catch(
    (error: unknown) => {
      opening.then(({ close }) => close()).catch(() => undefined);
      throw error;
    },
  );

  const currentHexApi = (): Config["hexApi"] => currentConfig().hexApi;
  const trail = createAuditTrail(config, {
    ...deps,
    store,
    writer,
    publicKey: publicKeyOf(signingKey),
    destinations: live.current.destinations.map(({ name }) => name),
    createTrack: (append) => createTrack(currentHexApi, { ...deps, append }),
    shutdown,
  });
  const { append } = trail;

  const hex = createHandlerHexApi(currentHexApi, { ...deps, append });
  const makeDestination = (one: DestinationConfig): Destination =>
    createDestination(one, handlers, { ...deps, hex });
  const dispatcher = createDispatcher(
    {
      ...deps,
      // Due times, leases and pauses, on which all processes must agree.
      now: store.clock,
      store,
      destinations: live.current.destinations.map(makeDestination),
    },
    config,
  );
  store.onCommit(({ due, exhausted, records, durationMs, entries }) => {
    dispatcher.wake(due);
    emit({ type: "store.committed", records, durationMs, entries });
    for (const failed of exhausted) {
      emit({ type: "delivery.exhausted", ...failed });
    }
  });

  const intake = createIntake({
    store,
    auditLimiters: trail.limiters,
    route: (event) => live.current.route(event),
    now,
    emit,
  });
  const listeners = createListeners(config, {
    ...deps,
    store,
    live,
    intake,
    auditLimiters: trail.limiters,
    append,
    dispatcher,
    status: async () =>
      readStatus(store, { now: now(), own: await status.read() }),
    shutdown,
    scrape: () => scrape(),
  });
  const scrape = createScrape({
    ...measuring,
    store,
    sinks: trail.sinks,
    served: dispatcher.served,
    sources: () => currentConfig().sources,
    ready: listeners.ready,
    now,
    monotonic,
    onError,
  });
  const status = createStatusPublisher({
    store,
    writer,
    version: deps.version,
    now,
    served: dispatcher.served,
    sources: () => currentConfig().sources,
    sinks: trail.sinks,
    readiness: async () =>
      shutdown.isDraining()
        ? "draining"
        : listeners.ready().then(
            () => "ready",
            () => "unavailable",
          ),
    lastMinute: measuring.lastMinute,
  });
  const reload = createReload({
    live,
    started: config,
    handlers,
    dispatcher,
    createDestination: makeDestination,
    readConfig: deps.readConfig ?? currentConfig,
    append,
    emit,
    now,
  });

  const saveKeyUses = (): Promise<void> => measuring.keyUses.save(store);
  const every = (
    everyMs: number,
    work: () => Promise<void>,
  ): BackgroundService => createInterval(work, { everyMs, onError });
  const guard = createPurgeGuard({
    store,
    now: store.clock,
    monotonic,
    emit,
  });
  const maintenance = { store, guard, now, monotonic, onError };
  const flushMs = (): number => Math.min(shutdown.remainingMs(), MAX_FLUSH_MS);
  const lifecycle = createLifecycle([
    { stop: () => flushTraces(flushMs()) },
    { stop: () => notifier.stop(flushMs()) },
    { stop: store.close },
    // Together, because each write waits for a store that is locked.
    {
      stop: () =>
        Promise.all([status.publishStopped(), saveKeyUses()]).then(
          () => undefined,
          onError,
        ),
    },
    // Must start before the first audit entry is stored: the entry would have the time of the clock that the guard checks.
    { start: guard.start },
    trail,
    every(intervals.suppressed, trail.reportSuppressed),
    measuring.metrics,
    every(intervals.keyUses, saveKeyUses),
    every(intervals.checkpoint, store.checkpoint),
    createAuditRetention(
      { ...maintenance, emit, taken: trail.takenPosition },
      config,
    ),
    createReplayClaimExpiry(maintenance, config),
    createEventRetention(maintenance, config),
    {
      start: dispatcher.load,
      stop: () => dispatcher.stop(shutdown.remainingMs()),
    },
    { start: () => reportDestinations(dispatcher, emit) },
    // Published before the listeners open, so that commands know the destinations of a ready service.
    { start: status.publish },
    every(intervals.status, status.publish),
    ...listeners.services,
    createFileWatcher(
      {
        files: () => currentConfig().secretFiles,
        onChange: () => reload("file"),
        onError,
      },
      { everyMs: intervals.fileWatch },
    ),
    createKeyAgeChecks(
      {
        sources: () => currentConfig().sources,
        store,
        append,
        emit,
        now,
        onError,
      },
      { everyMs: intervals.keyAge },
    ),
    // Starts last. So a startup that fails because a port is in use has delivered nothing.
    { start: dispatcher.start },
  ]);
  await lifecycle.start(stopRequest);
  return {
    ...listeners.ports(),
    reload: () => reload("SIGHUP"),
    stop: (reason) =>
      shutdown.run(reason, lifecycle, { isLimited: store.isShared }),
  };
}

/** Returns AUDIT_SIGNING_KEY, or the key from the file next to the store. Throws ConfigError if there is no valid one. */
function obtainKey(
  { auditSigningKey, databaseUrl }: Config,
  emit: Emit,
): KeyObject {
  if (auditSigningKey !== null) {
    return auditSigningKey;
  }
  const file = signingKeyFile(databaseUrl);
  if (file === null) {
    throw new ConfigError([SIGNING_KEY_REQUIRED]);
  }
  const { key, isReadableByOthers } = obtainSigningKey(file);
  if (isReadableByOthers) {
    emit({ type: "signing_key.readable", file });
  }
  return key;
}

async function reportDestinations(
  dispatcher: Dispatcher,
  emit: Emit,
): Promise<void> {
  const all = await dispatcher.status();
  if (all.every(({ destination }) => destination === null)) {
    emit({ type: "destinations.none" });
  }
  for (const { name, destination, pending } of all) {
    if (destination === null && pending > 0) {
      emit({ type: "destination.missing", destination: name, pending });
    }
  }
}
