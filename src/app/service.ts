import type { KeyObject } from "node:crypto";
import type { Writable } from "node:stream";
import { type AuditIntervals, openAuditTrail } from "./audit-trail.ts";
import type { Config } from "../config/load-config.ts";
import type { DestinationConfig } from "../config/destinations.ts";
import { createCheckpoints } from "../audit/checkpoint.ts";
import { createIntake } from "../intake/intake.ts";
import type { Destination } from "../domain/model.ts";
import { createRefusalBudget } from "../intake/rate-limiter.ts";
import { createRouter } from "../intake/routing.ts";
import { createDispatcher, type Dispatcher } from "../delivery/dispatcher.ts";
import {
  changedDestinations,
  createDestination,
  type DestinationDeps,
  destinationsOf,
  handlersOf,
} from "./destinations.ts";
import { asError, type StoreError } from "../errors.ts";
import type { ServerLimits } from "../http/server.ts";
import { openListeners } from "./listeners.ts";
import { startKeyAgeChecks } from "../maintenance/key-age.ts";
import { createLiveHexApi } from "./live-hex-api.ts";
import { createReloader } from "./reload.ts";
import { verify } from "../signature/verify.ts";
import { startForgettingReplays } from "../maintenance/replay-claims.ts";
import { startEventRetention } from "../maintenance/event-retention.ts";
import {
  auditKeyFile,
  obtainAuditKey,
  openSqliteStore,
} from "../store/sqlite/store.ts";
import { createShutdown } from "./shutdown.ts";
import { startWatchingFiles } from "./watch-files.ts";

/** Refusals of unverified requests that one address gets answered in full: 600 at once, then 10 a second. */
const REFUSALS = { burst: 600, perSecond: 10, maxAddresses: 10_000 };

const DAY_MS = 86_400_000;

/** How often files with secrets are looked at, in milliseconds. */
const LOOK_EVERY_MS = 500;

/** What the service takes from the world around it. */
export interface ServiceDeps extends Omit<DestinationDeps, "hex"> {
  /** Where the audit trail goes. */
  readonly stdout: Writable;
  readonly fetch: typeof fetch;
  /** In [0, 1). */
  readonly random: () => number;
  /** The store cannot be believed any more: nothing is acknowledged from now on, and the process should end. */
  readonly onFatal: (error: StoreError) => void;
  /** Reads the configuration again; without it nothing is reloaded. Throws ConfigError. */
  readonly readConfig?: () => Config;
  readonly descriptorLimit: () => number;
  readonly limits?: Partial<ServerLimits>;
  readonly intervals?: AuditIntervals;
  /** How often the age of secrets is looked at, in milliseconds: a day unless told. */
  readonly keyAgeEveryMs?: number;
}

export interface Service {
  readonly port: number;
  /** Null when the management listener is off. */
  readonly adminPort: number | null;
  /** Reads the configuration again; resolves when that is in force. */
  reload(): Promise<void>;
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
    const handlers = await handlersOf(config);
    const configured = destinationsOf(config, handlers);

    const checkpoints = createCheckpoints(signingKey(config, logger));
    const opened = openSqliteStore({
      file: config.databaseFile,
      writer: deps.randomHex(8),
      checkpoints,
      now,
      onFatal: deps.onFatal,
      delivers: true,
    });
    shutdown.onRelease(() => opened.close());

    const hex = createLiveHexApi(config.hexApi, deps);
    const { store, append, refusalEntries } = await openAuditTrail(config, {
      ...deps,
      store: opened,
      publicKey: checkpoints.publicKey,
      destinations: configured.map(({ name }) => name),
      createTrack: hex.createTrack,
      shutdown,
      onFault,
    });

    const forgetting = startForgettingReplays({ store, now, onFault }, config);
    shutdown.onRelease(forgetting.stop);

    const retention = startEventRetention({ store, now, onFault }, config);
    shutdown.onRelease(retention.stop);

    const api = hex.clients(append);
    const make = (one: DestinationConfig): Destination =>
      createDestination(one, handlers, { ...deps, hex: api });
    const dispatcher = await createDispatcher(
      {
        store,
        destinations: configured.map(make),
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
    if (configured.length === 0) {
      logger.warn(
        "no destination is configured: events are stored and brought to nobody",
      );
    }
    await warnOfUnconfigured(dispatcher, logger);

    let route = createRouter(configured);
    const refusals = createRefusalBudget(REFUSALS);
    const intake = createIntake(
      {
        store: {
          record: async (record) => {
            const outcome = await store.record(record);
            if (outcome === "accepted") {
              dispatcher.wake(record.deliveries);
            }
            return outcome;
          },
        },
        refusalEntries,
        verify,
        route: (event) => route(event),
        refusals,
        now,
      },
      config,
    );

    const listening = await openListeners(config, {
      ...deps,
      store,
      intake,
      refusals,
      unverified: refusalEntries.unverified,
      dispatcher,
      shutdown,
    });
    let served = configured;
    const { config: current, reload } = createReloader(
      {
        read: deps.readConfig ?? (() => config),
        apply(next) {
          const wanted = destinationsOf(next, handlers);
          const { removed, added } = changedDestinations(served, wanted);
          dispatcher.replace({ removed, added: added.map(make) });
          route = createRouter(wanted);
          served = wanted;
          hex.reload(next.hexApi);
          listening.reload(next);
          return [...new Set([...removed, ...added.map(({ name }) => name)])];
        },
        append,
        logger,
        now,
      },
      config,
    );
    const watching = startWatchingFiles(
      {
        files: () => current().secretFiles,
        onChange: () => reload("file"),
        onFault,
      },
      { everyMs: LOOK_EVERY_MS },
    );
    shutdown.onRelease(watching.stop);
    const ages = startKeyAgeChecks(
      { sources: () => current().sources, append, logger, now, onFault },
      { everyMs: deps.keyAgeEveryMs ?? DAY_MS },
    );
    shutdown.onRelease(ages.stop);

    // Only now: a start that finds its port taken must not have delivered anything.
    dispatcher.start();
    return {
      port: listening.port,
      adminPort: listening.adminPort,
      reload: () => reload("SIGHUP"),
      stop: shutdown.stop,
    };
  } catch (error) {
    await shutdown.release();
    throw error;
  }
}

function signingKey(
  { auditSigningKey, databaseFile }: Config,
  logger: ServiceDeps["logger"],
): KeyObject {
  if (auditSigningKey !== null) {
    return auditSigningKey;
  }
  const { key, openToOthers } = obtainAuditKey(databaseFile);
  if (openToOthers) {
    logger.warn(
      { file: auditKeyFile(databaseFile) },
      "others may read the key that signs the audit trail: chmod 600 it",
    );
  }
  return key;
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
