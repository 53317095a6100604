import type { Logger } from "pino";
import type { Config } from "../config/load-config.ts";
import type { BudgetedEntries } from "../audit/budgeted-entries.ts";
import type { createIntake } from "../intake/intake.ts";
import type { RefusalBudget } from "../intake/rate-limiter.ts";
import type { Store } from "../store/port.ts";
import type { Dispatcher } from "../delivery/dispatcher.ts";
import { createAdminApi } from "../http/admin/admin-api.ts";
import { createAdmission } from "../http/public/admission.ts";
import { createAdminApp, createPublicApp } from "../http/app.ts";
import { createClientAddress, createIsProxy } from "../http/client-address.ts";
import { createClientErrorHandler } from "../http/connection/client-error.ts";
import {
  adminLimits,
  type ConnectionLimits,
  publicDescriptors,
  publicLimits,
} from "../http/connection/connection-limits.ts";
import type { PlainExpress } from "../http/express-app.ts";
import { createGate } from "../http/request-validation.ts";
import { createReadiness } from "../http/readiness.ts";
import { createRefuse } from "../http/reject.ts";
import { listen, type Listener, type ServerLimits } from "../http/server.ts";
import { createStoredHeaders } from "../http/public/stored-headers.ts";
import { createMemoryPool } from "../http/connection/memory-pool.ts";
import { createTurns } from "../http/connection/scheduler.ts";
import { asError } from "../errors.ts";
import { SCHEMES, singleHeadersOf } from "../signature/scheme.ts";
import type { Shutdown } from "./shutdown.ts";

/** Maximum number of requests that wait for their response. */
const MAX_WAITING = 4096;
/** Memory for small bodies, and the same again for large ones, in bytes; raised to eight times MAX_BODY_BYTES if that is more. */
const MAX_HELD_BYTES = 41_943_040;

/** Memory for unparsed input of all connections, in bytes. */
const MAX_UNPARSED_BYTES = 25_165_824;

/** A client that makes no progress is disconnected after this time, or KEEP_ALIVE_SECONDS if that is shorter, in milliseconds. */
const STUCK_MS = 30_000;

const SERVER_LIMITS = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  checkingInterval: 1000,
  maxHeaderBytes: 16_384,
};

export interface ListenersDeps {
  readonly store: Store;
  readonly intake: ReturnType<typeof createIntake>;
  readonly refusals: RefusalBudget;
  readonly unverified: BudgetedEntries;
  readonly dispatcher: Dispatcher;
  readonly shutdown: Shutdown;
  readonly logger: Logger;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Returns this number of random bytes, in hex. */
  readonly randomHex: (bytes: number) => string;
  /** How many files and sockets this process may have open at once. */
  readonly descriptorLimit: () => number;
  readonly limits?: Partial<ServerLimits>;
}

export interface Listeners {
  readonly port: number;
  /** Null when the management listener is off. */
  readonly adminPort: number | null;
  /** From now on requests are judged by these sources and this token; those under way are not touched. */
  readonly reload: (config: Pick<Config, "sources" | "adminToken">) => void;
}

/**
 * Opens the management listener, unless it is off, and the public one; both are released with `shutdown`. Throws
 * ConfigError when an address cannot be had.
 */
export async function openListeners(
  config: Config,
  deps: ListenersDeps,
): Promise<Listeners> {
  const { store, refusals, unverified, shutdown, logger, now } = deps;
  // Of all schemes: which one a source has may change while the service runs.
  const schemes = Object.values(SCHEMES);
  let live = liveOf(config);
  const boot = deps.randomHex(4);
  let requests = 0;
  const isProxy = createIsProxy(config.trustProxy);
  const createListenerGate = (singleHeaders: readonly string[]) =>
    createGate({
      clientAddress: createClientAddress(isProxy),
      nextRequestId: () => `${boot}-${(requests += 1).toString(36)}`,
      isDraining: shutdown.isDraining,
      singleHeaders,
    });
  const refuse = createRefuse({
    append: store.append,
    unverified,
    refusals,
    now,
  });
  const ready = createReadiness({
    probe: store.probe,
    isDraining: shutdown.isDraining,
    now,
  });
  const shared = { refuse, ready, logger };
  const monotonicNow = (): number => performance.now();
  const turns = createTurns(monotonicNow);
  const unparsed = createMemoryPool({
    maxBytes: MAX_UNPARSED_BYTES,
    now: monotonicNow,
  });

  const publicApp = createPublicApp({
    ...shared,
    gate: createListenerGate(schemes.flatMap(singleHeadersOf)),
    maxBodyBytes: config.maxBodyBytes,
    receive: {
      source: (name) => live.sources.get(name),
      intake: deps.intake,
      admission: createAdmission(
        { turns, now: monotonicNow },
        {
          maxWaiting: MAX_WAITING,
          maxBytes: Math.max(MAX_HELD_BYTES, 8 * config.maxBodyBytes),
        },
      ),
      refuse,
      isDraining: shutdown.isDraining,
      isClosed: shutdown.isClosed,
      storedHeaders: createStoredHeaders(
        schemes.map(({ signatureHeader }) => signatureHeader),
      ),
    },
  });
  const streamsEnd = new AbortController();
  const adminApp = createAdminApp({
    ...shared,
    gate: createListenerGate(["authorization"]),
    api: createAdminApi({
      token: () => live.adminToken,
      store: wakingAfterRedelivery(store, deps.dispatcher),
      dispatcher: deps.dispatcher,
      now,
      ending: streamsEnd.signal,
    }),
  });

  const keepAliveTimeout = config.keepAliveSeconds * 1000;
  const limits: ServerLimits = {
    ...SERVER_LIMITS,
    keepAliveTimeout,
    stuckTimeout: Math.min(keepAliveTimeout, STUCK_MS),
    ...deps.limits,
  };
  const onClientError = createClientErrorHandler({ unverified, refusals, now });
  const open = async (
    app: PlainExpress,
    address: { host: string; port: number; variable: string },
    connections: ConnectionLimits,
  ): Promise<Listener> => {
    const { variable } = address;
    const listener = await listen(
      app,
      address,
      { ...limits, ...connections },
      {
        turns,
        unparsed,
        isProxy,
        onClientError,
        now: monotonicNow,
        onError: (thrown) => {
          const { message, stack } = asError(thrown);
          logger.error({ error: message, stack }, "connection failed");
        },
        onReject: (rejected) => {
          logger.warn(
            { listener: variable, ...rejected, ...connections },
            "connections rejected",
          );
        },
      },
    );
    shutdown.onRelease(() => shutdown.closeWithin(listener));
    return listener;
  };
  const { host, port, adminHost, adminPort, maxConnections } = config;
  const descriptors = deps.descriptorLimit();
  if ((maxConnections ?? 0) > publicDescriptors(descriptors)) {
    logger.warn(
      { maxConnections, descriptors },
      "MAX_CONNECTIONS lowered to three quarters of the descriptor limit: raise it with ulimit -n",
    );
  }
  // Opened first, so released last: a load balancer may ask /readyz until the end.
  const admin =
    adminPort === 0
      ? null
      : await open(
          adminApp,
          { host: adminHost, port: adminPort, variable: "ADMIN_PORT" },
          adminLimits(descriptors),
        );
  // A listener waits for its connections, and a stream has no end of its own.
  shutdown.onRelease(async () => {
    streamsEnd.abort();
  });
  const listener = await open(
    publicApp,
    { host, port, variable: "PORT" },
    publicLimits(descriptors, maxConnections),
  );
  return {
    port: listener.port,
    adminPort: admin?.port ?? null,
    reload: (reloaded) => {
      live = liveOf(reloaded);
    },
  };
}

/** What requests are judged by, all of one moment. */
function liveOf({
  sources,
  adminToken,
}: Pick<Config, "sources" | "adminToken">) {
  return {
    sources: new Map(sources.map((one) => [one.name, one])),
    adminToken,
  };
}

/** The same store, telling the workers when an operator has made deliveries due again. */
function wakingAfterRedelivery(store: Store, dispatcher: Dispatcher): Store {
  return {
    ...store,
    redeliver: async (request) => {
      const outcomes = await store.redeliver(request);
      dispatcher.wakeAll();
      return outcomes;
    },
  };
}
