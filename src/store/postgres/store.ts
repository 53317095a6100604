import type { Store, StoreDeps } from "../port.ts";
import type { PostgresUrl } from "../url.ts";
import { createAuditReader } from "./audit-reader.ts";
import { connect } from "./connection.ts";
import { createDatabaseClock } from "./database-clock.ts";
import { createDatabaseSize } from "./database-size.ts";
import { endLeases } from "./deliveries.ts";
import { readGauges } from "./delivery-counts.ts";
import { createDeliveryQueue } from "./delivery-queue.ts";
import { runAlone } from "./drop-partition.ts";
import { createEventDigests } from "./event-digests.ts";
import { createEventReader } from "./events.ts";
import { readKeyUses, saveKeyUses } from "./key-uses.ts";
import { createLeases } from "./leases.ts";
import { migratePostgres } from "./migrate.ts";
import { createNewestTime } from "./newest-time.ts";
import { createPartitions } from "./partitions.ts";
import { endPause, readPauses, setPaused } from "./pauses.ts";
import { createPool, type Pool } from "./pool.ts";
import { createOwnStatus, readProcessStatuses } from "./process-status.ts";
import { createPurger } from "./purge.ts";
import { createAuditPurger } from "./purge-audit.ts";
import { createReplayExpiry } from "./replay-expiry.ts";
import { createSinkTable } from "./sinks.ts";
import { createTrailGaps, positionHolders } from "./trail-gaps.ts";
import { createWriting } from "./writing.ts";

/** How often the database's clock is compared with this process's, in milliseconds. */
const CLOCK_EVERY_MS = 5000;

export interface PostgresDeps extends StoreDeps {
  /** Creates the clock of due times. By default it is the database's. */
  readonly createClock?: typeof createDatabaseClock;
}

/** How often the partitions of the next days and hours are created, in milliseconds. */
const PARTITIONS_EVERY_MS = 3_600_000;

/**
 * Opens a store in a PostgreSQL database and brings its schema up to date. One of its connections is the lane, on which all
 * audit entries are written. Rejects with StoreError if the database cannot be used.
 */
export async function openPostgresStore(
  url: PostgresUrl,
  deps: PostgresDeps,
): Promise<Store> {
  await migratePostgres(url);
  const pool = createPool(url, deps.poolSize - 1);
  try {
    return await createStore(url, deps, pool);
  } catch (error) {
    await pool.close();
    throw error;
  }
}

async function createStore(
  url: PostgresUrl,
  deps: PostgresDeps,
  pool: Pool,
): Promise<Store> {
  const { writer, now, delivers } = deps;
  const monotonic = () => performance.now();
  const partitions = createPartitions(url, pool);
  const clock = (deps.createClock ?? createDatabaseClock)(pool, now);
  await clock.measure();
  const writing = createWriting({
    store: deps,
    connect: (connectMs) => connect(url, { connectMs }),
    partitions,
    clockOffset: clock.offset,
  });
  const { lane, recorder, probe, onCommit } = writing;
  const status = createOwnStatus(pool, { writer, now: clock.now, delivers });
  const leases = createLeases(pool, writer, monotonic);
  const gaps = createTrailGaps(() => positionHolders(pool));
  await partitions.ahead(now());
  if (delivers && (await status.open())) {
    await endLeases(pool, clock.now());
  }
  const clockTimer = setInterval(() => {
    // While the database cannot be reached, the last difference stays.
    clock.measure().catch(() => undefined);
  }, CLOCK_EVERY_MS);
  clockTimer.unref();
  const partitionTimer = setInterval(() => {
    // Missing partitions are also created when they are needed.
    partitions.ahead(now()).catch(() => undefined);
  }, PARTITIONS_EVERY_MS);
  partitionTimer.unref();

  return {
    ...createAuditReader(pool, gaps),
    ...createEventReader(pool, clock.now),
    ...createEventDigests(pool),
    destinationGauges: () => readGauges(pool),
    pausedDestinations: () => readPauses(pool),
    processStatuses: () => readProcessStatuses(pool),
    storeBytes: createDatabaseSize(pool, monotonic),
    lastUses: () => readKeyUses(pool),
    newestTime: createNewestTime(pool),
    ...createDeliveryQueue({
      pool,
      lane,
      writer,
      clock: clock.now,
      monotonic,
    }),
    ...createSinkTable(pool, writer, now),
    ...recorder,
    probe,
    holdLease: leases.hold,
    holdPurges: leases.holdPurges,
    arePurgesHeld: leases.arePurgesHeld,
    publishStatus: status.publish,
    noteUse: (uses) => saveKeyUses(pool, uses, now()),
    setPaused: (destination, paused, entry) =>
      lane.run(async (tx) => {
        const isChanged = await setPaused(tx, destination, paused);
        if (isChanged) {
          tx.append(entry);
        }
        return isChanged;
      }),
    endPause: (destination, until, entry) =>
      lane.run(async (tx) => {
        const isEnded = await endPause(tx, destination, until);
        if (isEnded) {
          tx.append(entry);
        }
        return isEnded;
      }),
    purge: createPurger({ pool, lane, alone: runAlone(url) }),
    purgeAudit: createAuditPurger({
      writer,
      publicKey: writing.publicKey,
      pool,
      lane,
      partitions,
      now,
    }),
    forgetReplays: createReplayExpiry(partitions),
    onCommit,
    clock: clock.now,
    isShared: true,
    close: async () => {
      clearInterval(clockTimer);
      clearInterval(partitionTimer);
      // At the same time, because each takes some time while the database does not answer. Leases and status also end on
      // their own.
      await Promise.allSettled([
        lane.close(),
        leases.release(),
        status.close(),
      ]);
      await pool.close();
    },
  };
}
