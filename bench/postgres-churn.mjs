// node bench/postgres-churn.mjs [DELIVERIES] [DIST]: stores events, claims their deliveries and settles them, as fast as one
// process can, and reports how the table of pending deliveries grows. The store runs without HTTP, with the statements that a
// service uses. DIST is a directory with a build of Hexhook.
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { startPostgres } from "./postgres-server.mjs";

const DELIVERIES = Number(process.argv[2] ?? 1_000_000);
const DIST = path.resolve(
  process.argv[3] ?? path.join(import.meta.dirname, "../dist"),
);
/** Events that are stored at once, and deliveries that are claimed at once. */
const AT_ONCE = 128;
/** Pending deliveries after which no further events are stored for a while, as of a destination that is a little behind. */
const MAX_PENDING = 5000;
const REPORT_MS = 10_000;
const LEASE_MS = 15_000;
const TABLES = ["pending_delivery", "claim_lock", "audit_writer"];

const { openStore } = await import(path.join(DIST, "store/open.js"));
const { readVariables } = await import(
  path.join(DIST, "config/load-config.js")
);

const folder = mkdtempSync(path.join(tmpdir(), "hexhook-churn-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
const server = await startPostgres(folder);
const url = await server.createDatabase();
const { DATABASE_URL } = readVariables({ DATABASE_URL: url }, ["DATABASE_URL"]);
const store = await openStore(DATABASE_URL, {
  writer: "churn",
  signingKey: generateKeyPairSync("ed25519").privateKey,
  now: Date.now,
  onFatal: (error) => {
    throw error;
  },
  delivers: true,
  poolSize: 10,
});

const counts = { stored: 0, settled: 0 };
const startedAt = performance.now();

function record(n) {
  const id = `evt_${n}`;
  return store.record({
    event: {
      source: "hex",
      id,
      type: "bench.event",
      receivedAt: Date.now(),
      contentType: "application/json",
      headers: "{}",
      body: Buffer.alloc(100, "x"),
      idSigned: true,
    },
    deliveries: [{ destination: "target", orderKey: null }],
    claim: {
      signedAt: Math.floor(Date.now() / 1000),
      replayKey: Buffer.from(String(n).padStart(32, "0")),
      coversKey: true,
      sharedWith: [],
    },
    request: {
      requestId: "r",
      source: "hex",
      scheme: "hex",
      ip: "127.0.0.1",
      resource: "/webhooks/hex",
      keyId: "01234567",
      skewSeconds: 0,
    },
  });
}

async function storeAll() {
  let next = 0;
  const work = async () => {
    while (next < DELIVERIES) {
      if (counts.stored - counts.settled > MAX_PENDING) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        continue;
      }
      next += 1;
      await record(next);
      counts.stored += 1;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

async function settle(delivery) {
  const at = Date.now();
  await store.settle({
    deliveryId: delivery.id,
    attempt: delivery.attempt,
    endedAt: at,
    result: { ok: true, status: 200, reason: null, detail: null },
    next: { state: "succeeded" },
    entry: {
      at,
      action: "delivery.succeeded",
      userId: "worker",
      resource: "target",
      result: "success",
      metadata: { eventId: delivery.event.id, attempt: delivery.attempt },
    },
  });
  counts.settled += 1;
}

async function settleAll() {
  const holding = new Set();
  while (counts.settled < DELIVERIES) {
    const now = store.clock();
    const claimed = await store.claim({
      destination: "target",
      now,
      dueUntil: now,
      limit: AT_ONCE,
      concurrency: AT_ONCE,
      rateLimit: null,
      leaseUntil: now + LEASE_MS,
      holding,
      crashed: "any",
      probed: null,
      kind: "http",
    });
    claimed.forEach(({ id }) => holding.add(id));
    await Promise.all(claimed.map(settle));
    claimed.forEach(({ id }) => holding.delete(id));
    if (claimed.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

async function report() {
  const rows = await server.runSql(
    url,
    `SELECT relname AS table, pg_table_size(relid) AS bytes, pg_indexes_size(relid) AS index_bytes, n_live_tup AS live,
       n_dead_tup AS dead, autovacuum_count AS vacuums
     FROM pg_stat_user_tables WHERE relname = ANY($1) ORDER BY relname`,
    [TABLES],
  );
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  const perSecond = Math.round(counts.settled / Math.max(1, seconds));
  console.log(
    `${seconds} s: ${counts.settled.toLocaleString("en")} deliveries, ${perSecond}/s`,
  );
  for (const { table, bytes, index_bytes, live, dead, vacuums } of rows) {
    console.log(
      `  ${table.padEnd(18)} ${kb(bytes)} + indexes ${kb(index_bytes)}, ${live} live and ${dead} dead rows, ${vacuums} autovacuums`,
    );
  }
}

const kb = (bytes) => `${Math.round(bytes / 1024).toLocaleString("en")} KiB`;

const timer = setInterval(() => {
  report().catch((error) => console.error(error));
}, REPORT_MS);
await Promise.all([storeAll(), settleAll()]);
clearInterval(timer);
console.log("the end:");
await report();
await store.close();
await server.stop();
process.exit();
