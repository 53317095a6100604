import { type KeyObject } from "node:crypto";
import { type Writable } from "node:stream";
import { type AuditIntervals, openAuditTrail } from "./audit-trail.ts";
import { type Config } from "./config.ts";
import { createCheckpoints } from "./core/checkpoint.ts";
import { createIntake } from "./core/intake.ts";
import { createRefusalBudget } from "./core/refusal-budget.ts";
import { createRouter } from "./core/routing.ts";
import { createDispatcher, type Dispatcher } from "./delivery/dispatcher.ts";
import { createDestinations, type DestinationDeps } from "./destinations.ts";
import { asError, type StoreError } from "./errors.ts";
import { type ServerLimits } from "./http/server.ts";
import { openListeners } from "./listeners.ts";
import { verify } from "./signature/verify.ts";
import { startForgettingReplays } from "./store/forget-replays.ts";
import { startEventRetention } from "./store/event-retention.ts";
import {
  auditKeyFile,
  obtainAuditKey,
  openSqliteStore,
} from "./store/sqlite.ts";
import { createShutdown } from "./shutdown.ts";

/** Refusals of unverified requests that one address gets answered in full: 600 at once, then 10 a second. */
const REFUSALS = { burst: 600, perSecond: 10, maxAddresses: 10_000 };

/** What the service takes from the world around it. */
export interface ServiceDeps extends DestinationDeps {
  /** Where the audit trail goes. */
  readonly stdout: Writable;
  readonly fetch: typeof fetch;
  /** In [0, 1). */
  readonly random: () => number;
  /** The store cannot be believed any more: nothing is acknowledged from now on, and the process should end. */
  readonly onFatal: (error: StoreError) => void;
  readonly limits?: Partial<ServerLimits>;
  readonly intervals?: AuditIntervals;
}

export interface Service {
  readonly port: number;
  /** Null when the management listener is off. */
  readonly adminPort: number | null;
  /** Opens files again that were moved away. */
  reopen(): void;
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

    const { store, unverified, reopen } = await openAuditTrail(config, {
      ...deps,
      store: opened,
      publicKey: checkpoints.publicKey,
      destinations: destinations.map(({ name }) => name),
      shutdown,
      onFault,
    });

    const forgetting = startForgettingReplays({ store, now, onFault }, config);
    shutdown.onRelease(forgetting.stop);

    const retention = startEventRetention({ store, now, onFault }, config);
    shutdown.onRelease(retention.stop);

    const dispatcher = await createDispatcher(
      {
        store,
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
    if (destinations.length === 0) {
      logger.warn(
        "no destination is configured: events are stored and brought to nobody",
      );
    }
    await warnOfUnconfigured(dispatcher, logger);

    const refusals = createRefusalBudget(REFUSALS);
    const intake = createIntake(
      {
        store: {
          append: store.append,
          record: async (record) => {
            const outcome = await store.record(record);
            if (outcome === "accepted") {
              dispatcher.wake(record.deliveries);
            }
            return outcome;
          },
        },
        unverified,
        verify,
        route: createRouter(destinations),
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
      unverified,
      dispatcher,
      shutdown,
    });
    // Only now: a start that finds its port taken must not have delivered anything.
    dispatcher.start();
    return { ...listening, reopen, stop: shutdown.stop };
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
