import type { AuditLimiters } from "../audit/audit-limiter.ts";
import type { AuditDraft } from "../audit/entry.ts";
import type { BackgroundService } from "../background/background-service.ts";
import type { Config } from "../config/load-config.ts";
import type { Dispatcher } from "../delivery/dispatcher.ts";
import { createAdminApi } from "../http/admin/admin-api.ts";
import { createMetricsRoute } from "../http/admin/metrics-route.ts";
import { createAdminApp, createPublicApp } from "../http/app.ts";
import { createClientAddress, createIsProxy } from "../http/client-address.ts";
import { createClientErrorHandler } from "../http/connection/client-error.ts";
import {
  adminLimits,
  type ConnectionLimits,
  publicDescriptors,
  publicLimits,
} from "../http/connection/connection-limits.ts";
import { createMemoryPool } from "../http/connection/memory-pool.ts";
import { createScheduler } from "../http/connection/scheduler.ts";
import type { PlainExpress } from "../http/express-app.ts";
import { createAdmission } from "../http/public/admission.ts";
import { createRateLimiter } from "../http/rate-limiter.ts";
import { createReadiness } from "../http/readiness.ts";
import { createReject, type Reject } from "../http/reject.ts";
import { createReportResponse } from "../http/report-response.ts";
import { createRequestValidation } from "../http/request-validation.ts";
import { listen, type Listener, type ServerLimits } from "../http/server.ts";
import type { Intake } from "../intake/intake.ts";
import type { StatusReport } from "../status/status-report.ts";
import type { Store } from "../store/port.ts";
import type { Emit } from "../telemetry/happening.ts";
import type { Logger } from "pino";
import type { LiveConfigHolder } from "./live-config.ts";
import type { Shutdown } from "./stop-deadlines.ts";

/** Maximum number of requests that wait for their response. */
const MAX_WAITING = 4096;
/** Memory for small bodies, and the same again for large ones, in bytes. Eight times the largest body if that is more. */
const MAX_HELD_BYTES = 41_943_040;

/** Memory for unparsed input of all connections, in bytes. */
const MAX_UNPARSED_BYTES = 25_165_824;

/** Time after which a client without progress is disconnected, in milliseconds. KEEP_ALIVE_SECONDS applies if it is shorter. */
const STUCK_MS = 30_000;

/** Rejections that one address gets with their own code: 600 at once, then 10 a second. Further ones get 429. */
export const RATE_LIMIT = { burst: 600, perSecond: 10, maxAddresses: 10_000 };

export const SERVER_LIMITS = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  checkingInterval: 1000,
  maxHeaderBytes: 16_384,
};

export interface ListenersDeps {
  readonly store: Store;
  readonly live: Readonly<LiveConfigHolder>;
  readonly intake: Intake;
  readonly auditLimiters: AuditLimiters;
  /** Writes entries without a limit. */
  readonly append: (draft: AuditDraft) => Promise<void>;
  readonly dispatcher: Dispatcher;
  readonly status: () => Promise<StatusReport>;
  readonly shutdown: Shutdown;
  /** Returns the metrics as text. */
  readonly scrape: () => Promise<string>;
  /** For the request log at level `debug`. */
  readonly logger: Logger;
  readonly emit: Emit;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds of a monotonic clock. */
  readonly monotonic: () => number;
  /** Returns this number of random bytes, in hex. */
  readonly randomHex: (bytes: number) => string;
  /** Returns the maximum number of open files and sockets of this process. */
  readonly descriptorLimit: () => number;
  readonly limits?: Partial<ServerLimits>;
}

/** The management listener and the public one. */
export interface Listeners {
  /** In the order of their start. A start throws ConfigError if its address cannot be bound. */
  readonly services: readonly BackgroundService[];
  /** Rejects if the service cannot take events, as `/readyz` does. */
  readonly ready: () => Promise<void>;
  /** The ports, after the start. `adminPort` is null if the management listener is off. */
  readonly ports: () => {
    readonly port: number;
    readonly adminPort: number | null;
  };
}

export function createListeners(
  config: Config,
  deps: ListenersDeps,
): Listeners {
  const { host, port, adminHost, adminPort, maxConnections } = config;
  const { shutdown, emit } = deps;
  const descriptors = deps.descriptorLimit();
  const endOfStreams = new AbortController();
  const { publicApp, adminApp, ready, open } = createApps(
    config,
    deps,
    endOfStreams.signal,
  );
  const publicListener = listenerService(shutdown, () => {
    if ((maxConnections ?? 0) > publicDescriptors(descriptors)) {
      emit({ type: "connections.limited", maxConnections, descriptors });
    }
    return open(
      publicApp,
      { host, port, variable: "PORT" },
      publicLimits(descriptors, maxConnections),
    );
  });
  const adminListener = listenerService(shutdown, () =>
    open(
      adminApp,
      { host: adminHost, port: adminPort, variable: "ADMIN_PORT" },
      adminLimits(descriptors),
    ),
  );
  // A listener closes only when its connections have ended, and event streams do not end by themselves.
  const streams: BackgroundService = {
    async stop() {
      endOfStreams.abort();
    },
  };

  return {
    // The management listener stops last, because a load balancer may use its /readyz until then.
    services: [
      ...(adminPort === 0 ? [] : [adminListener, streams]),
      publicListener,
    ],
    ready,
    ports: () => ({
      port: publicListener.port() ?? 0,
      adminPort: adminListener.port(),
    }),
  };
}

function listenerService(
  shutdown: Shutdown,
  open: () => Promise<Listener>,
): Required<BackgroundService> & { readonly port: () => number | null } {
  let listener: Listener | null = null;
  return {
    port: () => listener?.port ?? null,
    async start() {
      listener = await open();
    },
    async stop() {
      if (listener !== null) {
        await shutdown.closeListener(listener);
      }
    },
  };
}

/** Returns the maximum size of a body of any source, in bytes. */
function largestBody({ maxBodyBytes, sources }: Config): number {
  return Math.max(maxBodyBytes, ...sources.map((one) => one.maxBodyBytes));
}

/** Creates the apps of both listeners, and a function that opens a listener with the shared limits. */
function createApps(
  config: Config,
  deps: ListenersDeps,
  endOfStreams: AbortSignal,
) {
  const { store, live, shutdown, logger, emit, now, monotonic } = deps;
  const boot = deps.randomHex(4);
  let requests = 0;
  const isProxy = createIsProxy(config.trustProxy);
  const validate = (singleHeaders: readonly string[]) =>
    createRequestValidation({
      clientAddress: createClientAddress(isProxy),
      nextRequestId: () => `${boot}-${(requests += 1).toString(36)}`,
      isDraining: shutdown.isDraining,
      singleHeaders,
      monotonic,
    });
  const rejectDeps = {
    append: deps.append,
    auditLimiters: deps.auditLimiters,
    rateLimiter: createRateLimiter(RATE_LIMIT),
    now,
    monotonic,
  };
  // Only requests of senders are measured.
  const measured = { report: createReportResponse({ emit, monotonic }) };
  const unmeasured = { report: () => undefined };
  const reject = createReject({ ...rejectDeps, ...measured });
  const adminReject = createReject({ ...rejectDeps, ...unmeasured });
  const ready = createReadiness({
    probe: store.probe,
    isDraining: shutdown.isDraining,
    now: monotonic,
  });
  const shared = { ready, logger, emit };
  const scheduler = createScheduler(monotonic);
  const unparsed = createMemoryPool({
    maxBytes: MAX_UNPARSED_BYTES,
    now: monotonic,
  });

  const publicApp = createPublicApp({
    ...shared,
    ...measured,
    reject,
    // The headers of a scheme are checked when the source is known.
    validation: validate([]),
    receive: {
      source: (name) => live.current.sources.get(name),
      intake: deps.intake,
      admission: createAdmission(
        { scheduler, now: monotonic },
        {
          maxWaiting: MAX_WAITING,
          maxBytes: Math.max(MAX_HELD_BYTES, 8 * largestBody(config)),
        },
      ),
      ...measured,
      reject,
      isDraining: shutdown.isDraining,
      isClosed: shutdown.isClosed,
    },
  });
  const adminApp = createAdminApp({
    ...shared,
    ...unmeasured,
    reject: adminReject,
    validation: validate(["authorization"]),
    metrics: createMetricsRoute(deps.scrape),
    api: createAdminApi({
      token: () => live.current.config.adminToken,
      store,
      dispatcher: deps.dispatcher,
      status: deps.status,
      routes: () => live.current.destinations,
      now,
      ending: endOfStreams,
    }),
  });

  const keepAliveTimeout = config.keepAliveSeconds * 1000;
  const limits: ServerLimits = {
    ...SERVER_LIMITS,
    keepAliveTimeout,
    stuckTimeout: Math.min(keepAliveTimeout, STUCK_MS),
    ...deps.limits,
  };

  const open = (
    { app, reject }: { app: PlainExpress; reject: Reject },
    address: { host: string; port: number; variable: string },
    connections: ConnectionLimits,
  ): Promise<Listener> =>
    listen(
      app,
      address,
      { ...limits, ...connections },
      {
        scheduler,
        unparsed,
        isProxy,
        onClientError: createClientErrorHandler(reject),
        now: monotonic,
        onError: (error) => {
          emit({ type: "connection.failed", error });
        },
        onReject: (rejected) => {
          const { variable } = address;
          emit({
            type: "connections.rejected",
            listener: variable,
            rejected,
            ...connections,
          });
        },
      },
    );
  return {
    publicApp: { app: publicApp, reject },
    adminApp: { app: adminApp, reject: adminReject },
    ready,
    open,
  };
}
