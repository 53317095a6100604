// Compares the store in PostgreSQL, with one and two replicas, with the store in a SQLite file, empty and with many events.
import { spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { startPostgres } from "./postgres-server.mjs";
import { SECRET } from "./requests.mjs";

const STORED_EVENTS = 2_000_000;
const DAY_MS = 86_400_000;

let server;
let keyFile;
const filled = new Map();

/** Returns the environment of all services on a database. */
function environmentOf(folder, url) {
  if (keyFile === undefined) {
    keyFile = path.join(folder, "audit-key.pem");
    const { privateKey } = generateKeyPairSync("ed25519");
    const pem = privateKey.export({ type: "pkcs8", format: "pem" });
    writeFileSync(keyFile, pem, { mode: 0o600 });
  }
  return { DATABASE_URL: url, AUDIT_SIGNING_KEY_FILE: keyFile };
}

/** Creates a database that has these tables and events. It is filled once in a run. */
async function filledDatabase({ folder, cli }, count) {
  if (filled.has(count)) {
    return filled.get(count);
  }
  const url = await server.createDatabase();
  const { status, stderr } = spawnSync(process.execPath, [cli, "migrate"], {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, HEX_SECRET: SECRET, ...environmentOf(folder, url) },
  });
  if (status !== 0) {
    throw new Error(`hexhook migrate failed: ${stderr}`);
  }
  if (count > 0) {
    console.log(`filling a database with ${count.toLocaleString("en")} events`);
    await fill(url, count);
  }
  filled.set(count, url);
  return url;
}

/** Adds events of today with bodies of 100 bytes. No audit entries are created. */
async function fill(url, count) {
  const day = Math.floor(Date.now() / DAY_MS);
  await server.runSql(
    url,
    `CREATE TABLE IF NOT EXISTS event_d${day} PARTITION OF event FOR VALUES FROM (${day}) TO (${day + 1})`,
  );
  await server.runSql(
    url,
    `INSERT INTO event (seq, day, source, id, type, received_at, content_type, headers, body_sha256, body)
     SELECT nextval('event_seq'), $1, 'hex', convert_to('evt_' || gen_random_uuid(), 'UTF8'), 'bench.event', $2::bigint + n / 1000,
       'application/json', '{"content-type":"application/json"}', sha256(n::text::bytea), decode(repeat('00', 100), 'hex')
     FROM generate_series(1, $3::int) AS n`,
    [day, Date.now(), count],
  );
  await server.runSql(
    url,
    "INSERT INTO event_id (source, id, day, seq, body_sha256) SELECT source, id, day, seq, body_sha256 FROM event",
  );
  await server.runSql(url, "VACUUM ANALYZE");
}

/** Returns a function that creates a database before the service starts. */
const withDatabase = (count) => async (context) => {
  const { folder } = context;
  server ??= await startPostgres(folder);
  const template = await filledDatabase(context, count);
  const url = await server.createDatabase(template);
  await server.checkpoint();
  return {
    serverOptions: { env: environmentOf(folder, url) },
    close: () => server.dropDatabase(url),
  };
};

const COUNTS = { empty: 0, stored: STORED_EVENTS };
const nameOf = (count) =>
  count === 0 ? "" : `, ${count.toLocaleString("en")} stored events`;

export const postgres = {
  title: "SQLite and PostgreSQL, 64 keep-alive connections, all on all cores",
  variants: Object.fromEntries(
    Object.entries(COUNTS).flatMap(([name, count]) => [
      [
        `sqlite-${name}`,
        {
          server: "hexhook",
          suffix: `SQLite${nameOf(count)}`,
          serverOptions: { anyCore: true },
          async prepare({ stores }) {
            return count === 0
              ? {}
              : { serverOptions: { database: await stores.filled(count) } };
          },
        },
      ],
      [
        `postgres-1-${name}`,
        {
          server: "hexhook",
          suffix: `PostgreSQL${nameOf(count)}`,
          serverOptions: { anyCore: true, sharesCores: true },
          prepare: withDatabase(count),
        },
      ],
      [
        `postgres-2-${name}`,
        {
          server: "replicas",
          suffix: `PostgreSQL${nameOf(count)}`,
          serverOptions: { anyCore: true },
          prepare: withDatabase(count),
        },
      ],
    ]),
  ),
};
