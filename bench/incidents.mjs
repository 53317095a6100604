// What holds a service up: another process's lock, a purge, a long listing, a start. /livez is asked beside each.
import { setTimeout as sleep } from "node:timers/promises";
import { ADMIN_TOKEN } from "./servers.mjs";
import { holdLock, listEvents } from "./stores.mjs";

const LOCK_SECONDS = 5;
const PURGED_EVENTS = 200_000;
const LISTED_EVENTS = 1_000_000;
export const STORED_EVENTS = 5_000_000;
const STARTS = 3;
/** Genuine deliveries beside it. */
const TRAFFIC = { rate: 200, connections: 16, livez: true, warmUp: false };

/** Measures the traffic for as long as `incident` takes. */
async function duringTraffic({ measure }, server, { seconds, incident }) {
  const [result, outcome] = await Promise.all([
    measure.measure(server, { ...TRAFFIC, seconds }),
    incident(),
  ]);
  return { ...result, ...outcome };
}

async function lock(context) {
  await context.withServer("hexhook", {}, async (server) => {
    await context.measure.load(server, { ...TRAFFIC, seconds: 1 });
    const result = await duringTraffic(context, server, {
      seconds: LOCK_SECONDS + 2,
      async incident() {
        await sleep(500);
        await holdLock(server.database, LOCK_SECONDS);
      },
    });
    context.record("lock", "Hexhook, a lock of 5 s", result);
  });
}

async function purge(context) {
  const database = await context.stores.filled(PURGED_EVENTS, 10);
  const before = context.stores.countEvents(database);
  await context.withServer(
    "hexhook",
    { database, env: { EVENT_RETENTION_DAYS: "1" } },
    async (server) => {
      const result = await duringTraffic(context, server, {
        seconds: 5,
        incident: () => undefined,
      });
      const left = context.stores.countEvents(database) - result.ok;
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
    const listed = listEvents(server.adminPort, ADMIN_TOKEN);
    const result = await context.measure.measure(server, {
      ...TRAFFIC,
      livez: false,
      seconds: 5,
    });
    const outcome = await listed;
    const livez = await endProbe();
    context.record("listing", "Hexhook, a listing of 1 M events", {
      ...result,
      livez,
      listing: outcome,
    });
  });
}

/** How long a start takes until /readyz answers 200, the start of Node included. */
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
