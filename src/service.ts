import { type Writable } from "node:stream";
import { serverStarted, serverStopped } from "./audit/server-entries.ts";
import { startStdoutSink } from "./audit/stdout-sink.ts";
import { type Config } from "./config.ts";
import { createIntake } from "./core/intake.ts";
import { createRefusalBudget } from "./core/refusal-budget.ts";
import { createRouter } from "./core/routing.ts";
import { type Store } from "./core/store.ts";
import { createDispatcher, type Dispatcher } from "./delivery/dispatcher.ts";
import { createDestinations, type DestinationDeps } from "./destinations.ts";
import { asError, type StoreError } from "./errors.ts";
import { createAdminApi } from "./http/admin-api.ts";
import { createAdmission } from "./http/admission.ts";
import { createAdminApp, createPublicApp } from "./http/app.ts";
import { createClientAddress } from "./http/client-address.ts";
import { createClientErrorHandler } from "./http/client-error.ts";
import { createGate } from "./http/gate.ts";
import { createReadiness } from "./http/readiness.ts";
import { createRefuse } from "./http/refuse.ts";
import { listen, type ServerLimits } from "./http/server.ts";
import { createStoredHeaders } from "./http/stored-headers.ts";
import { schemeOf, singleHeadersOf } from "./signature/scheme.ts";
import { verify } from "./signature/verify.ts";
import { startForgettingReplays } from "./store/forget-replays.ts";
import { startRetention } from "./store/retention.ts";
import { openSqliteStore } from "./store/sqlite.ts";
import { createShutdown } from "./shutdown.ts";

/** Refusals of unverified requests that one address gets answered in full: 600 at once, then 10 a second. */
const REFUSALS = { burst: 600, perSecond: 10, maxAddresses: 10_000 };

/** So many answers may be waited for at once, and so many bytes of bodies held: at least eight of the largest. */
const MAX_WAITING = 4096;
const MAX_HELD_BYTES = 134_217_728;

const SERVER_LIMITS = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  checkingInterval: 1000,
  maxHeaderBytes: 16_384,
};

/** What the service takes from the world around it. */
export interface ServiceDeps extends DestinationDeps {
  /** Where the audit trail goes. */
  readonly stdout: Writable;
  /** In [0, 1). */
  readonly random: () => number;
  /** The store cannot be believed any more: nothing is acknowledged from now on, and the process should end. */
  readonly onFatal: (error: StoreError) => void;
  readonly limits?: Partial<ServerLimits>;
}

export interface Service {
  readonly port: number;
  /** Null when the management listener is off. */
  readonly adminPort: number | null;
  /** Drains, closes, settles, writes the last entry. `reason` goes into it. */
  stop(reason: string): Promise<void>;
}

/**
 * The composition root: opens the store, starts workers and listeners, and resolves when requests are served. What
 * was opened is released last-in first-out, also when the start fails half way.
 */
export async function startService(
  config: Config,
  deps: ServiceDeps,
): Promise<Service> {
  const { logger, now } = deps;
  const shutdown = createShutdown(config, now);
  const onFault = (error: unknown): void => {
    logger.error({ error: asError(error).message }, "background work failed");
  };

  try {
    const destinations = await createDestinations(config, deps);

    const writer = deps.randomHex(8);
    const store = openSqliteStore({
      file: config.databaseFile,
      writer,
      now,
      onFatal: deps.onFatal,
      delivers: true,
    });
    shutdown.onRelease(() => store.close());

    const sink = startStdoutSink({
      trail: store,
      stdout: deps.stdout,
      format: config.auditStdout,
      writer,
      after: await store.lastPosition(),
      onFault,
    });
    const audited = wakingAfterWrites(store, sink.wake);
    await audited.append(
      serverStarted({
        at: now(),
        version: deps.version,
        nodeVersion: process.version,
        sources: config.sources,
        destinations: destinations.map(({ name }) => name),
        heads: await store.heads(),
      }),
    );
    shutdown.onRelease(async () => {
      await audited.append(
        serverStopped(now(), {
          reason: shutdown.reason(),
          good: shutdown.isDraining(),
        }),
      );
      await sink.flush(shutdown.remainingMs());
    });

    const forgetting = startForgettingReplays({ store, now, onFault }, config);
    shutdown.onRelease(forgetting.stop);

    const retention = startRetention({ store: audited, now, onFault }, config);
    shutdown.onRelease(retention.stop);

    const dispatcher = await createDispatcher(
      {
        store: audited,
        destinations,
        now,
        random: deps.random,
        onFault,
        onPause: (destination, paused) => {
          logger.warn(
            { destination, paused },
            paused ? "a destination is paused" : "a destination goes on",
          );
        },
        onBreaker: (destination, breaker) => {
          logger.warn(
            { destination, breaker },
            breaker === "open"
              ? "a destination fails again and again: its deliveries wait"
              : "a destination is back: its deliveries go on",
          );
        },
      },
      config,
    );
    shutdown.onRelease(() => dispatcher.stop(shutdown.remainingMs()));
    await warnOfUnconfigured(dispatcher, logger);

    const refusals = createRefusalBudget(REFUSALS);
    const intake = createIntake(
      {
        store: {
          append: audited.append,
          record: async (record) => {
            const outcome = await audited.record(record);
            if (outcome === "accepted") {
              dispatcher.wake(record.deliveries);
            }
            return outcome;
          },
        },
        verify,
        route: createRouter(destinations),
        refusals,
        now,
      },
      config,
    );

    const schemes = config.sources.map(({ scheme }) => schemeOf(scheme));
    const boot = deps.randomHex(4);
    let requests = 0;
    const gateOptions = {
      clientAddress: createClientAddress(config.trustProxy),
      nextRequestId: () => `${boot}-${(requests += 1).toString(36)}`,
      isDraining: shutdown.isDraining,
    };
    const refuse = createRefuse({ append: audited.append, refusals, now });
    const ready = createReadiness({
      probe: store.probe,
      isDraining: shutdown.isDraining,
      now,
    });
    const sources = new Map(config.sources.map((s) => [s.name, s]));
    const appDeps = {
      refuse,
      ready,
      logger,
      trustProxy: config.trustProxy,
    };
    const publicApp = createPublicApp({
      ...appDeps,
      gate: createGate({
        ...gateOptions,
        singleHeaders: schemes.flatMap(singleHeadersOf),
      }),
      maxBodyBytes: config.maxBodyBytes,
      receive: {
        source: (name) => sources.get(name),
        intake,
        admission: createAdmission({
          maxWaiting: MAX_WAITING,
          maxBytes: Math.max(MAX_HELD_BYTES, 8 * config.maxBodyBytes),
        }),
        refuse,
        isDraining: shutdown.isDraining,
        isClosed: shutdown.isClosed,
        storedHeaders: createStoredHeaders(
          schemes.map(({ signatureHeader }) => signatureHeader),
        ),
      },
    });
    const limits: ServerLimits = {
      ...SERVER_LIMITS,
      keepAliveTimeout: config.keepAliveSeconds * 1000,
      ...deps.limits,
    };
    const onClientError = createClientErrorHandler({
      append: audited.append,
      refusals,
      now,
    });
    const open = async (
      app: typeof publicApp,
      address: { host: string; port: number; variable: string },
    ) => {
      const listener = await listen(app, address, limits, onClientError);
      shutdown.onRelease(() => shutdown.closeWithin(listener));
      return listener;
    };
    const adminApp = createAdminApp({
      ...appDeps,
      gate: createGate({ ...gateOptions, singleHeaders: ["authorization"] }),
      api: createAdminApi({
        token: config.adminToken,
        store: {
          ...audited,
          redeliver: async (request) => {
            const outcomes = await audited.redeliver(request);
            dispatcher.wakeAll();
            return outcomes;
          },
        },
        dispatcher,
        now,
      }),
    });
    // Opened first, so released last: a load balancer may ask /readyz until the end.
    const admin =
      config.adminPort === 0
        ? null
        : await open(adminApp, {
            host: config.adminHost,
            port: config.adminPort,
            variable: "ADMIN_PORT",
          });
    const listener = await open(publicApp, {
      host: config.host,
      port: config.port,
      variable: "PORT",
    });
    // Only now: a start that finds its port taken must not have delivered anything.
    dispatcher.start();
    return {
      port: listener.port,
      adminPort: admin?.port ?? null,
      stop: shutdown.stop,
    };
  } catch (error) {
    await shutdown.release();
    throw error;
  }
}

/** What waits for a destination that is not there any more waits for ever: somebody should know. */
async function warnOfUnconfigured(
  dispatcher: Dispatcher,
  logger: ServiceDeps["logger"],
): Promise<void> {
  for (const { name, destination, pending } of await dispatcher.status()) {
    if (destination === null && pending > 0) {
      logger.warn(
        { destination: name, pending },
        "deliveries wait for a destination that is not configured any more",
      );
    }
  }
}

/** The same store, telling the sink whenever there may be new entries in it. */
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
  };
}
