// Scenarios that can delay a service: a lock of another process, a purge, a long listing, a start. Most measure /livez too.
import { setTimeout as sleep } from "node:timers/promises";
import { ADMIN_TOKEN } from "./servers.mjs";
import { holdLock, listEvents } from "./stores.mjs";

const LOCK_SECONDS = 5;
const PURGED_EVENTS = 200_000;
const LISTED_EVENTS = 1_000_000;
export const STORED_EVENTS = 5_000_000;
const STARTS = 3;
/** The genuine deliveries during each incident. */
const TRAFFIC = { rate: 200, connections: 16, livez: true, warmUp: false };

async function lock(context) {
  await context.withServer("hexhook", {}, async (server) => {
    await context.measure.load(server, { ...TRAFFIC, seconds: 1 });
    const lockAfterDelay = async () => {
      await sleep(500);
      await holdLock(server.database, LOCK_SECONDS);
    };
    const [result] = await Promise.all([
      context.measure.measure(server, {
        ...TRAFFIC,
        seconds: LOCK_SECONDS + 2,
      }),
      lockAfterDelay(),
    ]);
    context.record("lock", "Hexhook, a lock of 5 s", result);
  });
}

/** The purge starts with the service, in batches with pauses of at least 10 ms. It takes longer than the measurement. */
async function purge(context) {
  const { stores, measure } = context;
  const database = await stores.filled(PURGED_EVENTS, 10);
  await context.withServer(
    "hexhook",
    { database, env: { EVENT_RETENTION_DAYS: "1" } },
    async (server) => {
      const before = stores.countEvents(database);
      const result = await measure.measure(server, { ...TRAFFIC, seconds: 5 });
      const left = stores.countEvents(database) - result.ok;
      // The newest event is never purged.
      if (left === before || left <= 1) {
        throw new Error("the purge ended before the measurement");
      }
      context.record("purge", "Hexhook, a purge", {
        ...result,
        purged: before - left,
      });
    },
  );
}

async function listing(context) {
  const database = await context.stores.filled(LISTED_EVENTS);
  await context.withServer("hexhook", { database }, async (server) => {
    await context.measure.load(server, { ...TRAFFIC, seconds: 1 });
    const endProbe = context.measure.probe(server);
    let livez;
    const [result, outcome] = await Promise.all([
      context.measure.measure(server, {
        ...TRAFFIC,
        livez: false,
        seconds: 5,
      }),
      listEvents(server.adminPort, ADMIN_TOKEN),
    ]).finally(async () => {
      livez = await endProbe();
    });
    context.record("listing", "Hexhook, a listing of 1 M events", {
      ...result,
      livez,
      listing: outcome,
    });
  });
}

/** Measures three times how long a start takes until /readyz responds 200, including the start of Node. */
const starts = (key, label, database) => async (context) => {
  const file = await database(context);
  for (let i = 0; i < STARTS; i += 1) {
    await context.withServer("hexhook", { database: file }, (server) => {
      context.record(key, label, { readyMs: server.readyMs });
    });
  }
};

export const incidents = {
  lock: {
    title: "another process holds the store's lock for 5 s",
    quick: true,
    run: lock,
  },
  purge: { title: "a purge of old events", quick: true, run: purge },
  listing: {
    title: "a listing of 1,000,000 events",
    quick: true,
    run: listing,
  },
  start: {
    title: "start to ready, empty store",
    quick: true,
    run: starts("empty", "Hexhook, empty store", () => undefined),
  },
  "start-stored": {
    title: "start to ready, 5,000,000 events",
    run: starts("stored", "Hexhook, 5,000,000 events", ({ stores }) =>
      stores.filled(STORED_EVENTS),
    ),
  },
};
