// Starts a PostgreSQL server for the benchmarks, from the npm package that the tests use. It ends with the benchmark.
import { chmodSync, mkdirSync } from "node:fs";
import path from "node:path";
import pg from "pg";
import { ALL_CORES, start } from "./children.mjs";

const PROJECT = path.join(import.meta.dirname, "..");
/** PostgreSQL refuses to run as root. Then its processes run as this user. */
const UNPRIVILEGED_USER = 65_534;

/** Durable, as a service requires it. The rest is what is usual for a small server. */
const SETTINGS = {
  max_connections: "100",
  shared_buffers: "512MB",
  max_wal_size: "4GB",
  autovacuum_naptime: "10s",
};

/** Returns the parsed integers of bigint columns as numbers. */
const types = {
  getTypeParser: (oid, format) =>
    oid === pg.types.builtins.INT8
      ? Number
      : pg.types.getTypeParser(oid, format),
};

/** Starts a server with its data in a directory. Resolves to functions that create databases and run statements. */
export async function startPostgres(folder) {
  chmodSync(folder, 0o711);
  const place = path.join(folder, "postgres");
  mkdirSync(place, { mode: 0o755 });
  const plan = {
    binaries: path.join(place, "native"),
    template: path.join(place, "server", "template"),
    folder: path.join(place, "server"),
    port: null,
    settings: SETTINGS,
    deletes: false,
    owner: process.getuid() === 0 ? UNPRIVILEGED_USER : null,
  };
  const script = path.join(PROJECT, "test/support/postgres-server.mjs");
  const child = start(
    ALL_CORES,
    [process.execPath, script, JSON.stringify(plan)],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  const port = await new Promise((resolve, reject) => {
    child.stdout.once("data", (line) => resolve(parseInt(String(line), 10)));
    child.exited.then(() => reject(new Error("PostgreSQL did not start")));
  });
  const urlOf = (database) =>
    `postgres://hexhook@127.0.0.1:${port}/${database}?sslmode=disable`;

  /** Runs one statement on a separate connection. Returns the rows. */
  async function runSql(url, text, values) {
    const client = new pg.Client({ connectionString: url, types });
    await client.connect();
    try {
      return (await client.query(text, values)).rows;
    } finally {
      await client.end();
    }
  }

  let databases = 0;
  return {
    runSql,
    /** Creates a database, as a copy of another one if `template` is its URL. Returns its URL. */
    async createDatabase(template) {
      databases += 1;
      const name = `bench_${databases}`;
      const source =
        template === undefined
          ? ""
          : ` TEMPLATE ${new URL(template).pathname.slice(1)}`;
      await runSql(urlOf("postgres"), `CREATE DATABASE ${name}${source}`);
      return urlOf(name);
    },
    dropDatabase: (url) =>
      runSql(
        urlOf("postgres"),
        `DROP DATABASE ${new URL(url).pathname.slice(1)} WITH (FORCE)`,
      ),
    /** Writes all dirty pages to disk now, so that a measurement does not pay for an earlier one. */
    checkpoint: () => runSql(urlOf("postgres"), "CHECKPOINT"),
    stop: async () => {
      child.stdin.end();
      await child.exited;
    },
  };
}
