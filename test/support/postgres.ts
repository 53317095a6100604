import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import pg from "pg";
import type { PostgresUrl } from "../../src/store/url.ts";
import { migratePostgres } from "../../src/store/postgres/migrate.ts";
import { createPartitions } from "../../src/store/postgres/partitions.ts";
import { createPool } from "../../src/store/postgres/pool.ts";
import { cleanUp } from "./cleanup.ts";
import { eventually } from "./eventually.ts";
import { type ServerProcess, startServer } from "./postgres-process.ts";
import { temporaryFolder, temporaryRoot } from "./temporary-folder.ts";

/*
 * A real PostgreSQL for the tests. All test files of a jest worker share one server, because its start takes a second. It
 * ends with the worker.
 */

/** The settings of all servers. `fsync` is on, as in production; the files are in memory where possible. */
const SETTINGS = {
  max_connections: "300",
  shared_buffers: "64MB",
  max_wal_size: "256MB",
  // Its files are in the directory of the data, and so are deleted after a kill.
  dynamic_shared_memory_type: "mmap",
} as const;

/** The directory of the server that the test files of this process share. */
const FOLDER = path.join(temporaryRoot(), `hexhook-postgres-${process.pid}`);
const BINARIES = path.join(FOLDER, "native");
const TEMPLATE = path.join(FOLDER, "template");

let shared: Promise<number> | undefined;

/** Returns the port of the shared server. Starts it if no earlier test file of this process has. */
function sharedPort(): Promise<number> {
  shared ??= findShared().then((port) => port ?? startShared());
  return shared;
}

async function findShared(): Promise<number | null> {
  const file = path.join(FOLDER, "port");
  if (!existsSync(file)) {
    return null;
  }
  const port = Number(readFileSync(file, "utf8"));
  try {
    // The folder may belong to an ended process that had the same id.
    const [row] = await runSql<{ data_directory: string }>(
      urlOf(port, "postgres"),
      "SHOW data_directory",
    );
    return row?.data_directory === path.join(FOLDER, "data") ? port : null;
  } catch {
    return null;
  }
}

async function startShared(): Promise<number> {
  rmSync(FOLDER, { recursive: true, force: true });
  const { port } = await startServer({
    binaries: BINARIES,
    template: TEMPLATE,
    folder: FOLDER,
    port: null,
    settings: SETTINGS,
    deletes: true,
  });
  return port;
}

const urlOf = (port: number, database: string): string =>
  `postgres://hexhook@127.0.0.1:${port}/${database}`;

let databases = 0;

async function createDatabaseAt(
  port: number,
  template = "template1",
): Promise<string> {
  databases += 1;
  const name = `test_${Date.now()}_${databases}`;
  await runSql(
    urlOf(port, "postgres"),
    `CREATE DATABASE ${name} TEMPLATE ${template} STRATEGY FILE_COPY`,
  );
  return name;
}

/** The databases that are copied for the tests, by their names. */
const templates = new Map<string, Promise<void>>();

/** Creates a database with the tables of a store, unless an earlier test file of this process has. */
async function createTemplate(
  port: number,
  template: string,
  at: number | null,
): Promise<void> {
  const admin = urlOf(port, "postgres");
  const [found] = await runSql(
    admin,
    "SELECT 1 FROM pg_database WHERE datname = $1",
    [template],
  );
  if (found === undefined) {
    const name = await createDatabaseAt(port);
    const url = postgresUrl(urlOf(port, name));
    await migratePostgres(url);
    if (at !== null) {
      const pool = createPool(url, 1);
      await createPartitions(url, pool).ahead(at);
      await pool.close();
    }
    await runSql(admin, `ALTER DATABASE ${name} RENAME TO ${template}`);
  }
}

/**
 * Like `createDatabase`, with the empty tables of a store. A copy takes less time than the migrations. `at`: the time of a
 * store's clock (unix milliseconds) for which the database already has the partitions; null = it has none.
 */
export async function createStoreDatabase(
  at: number | null = null,
): Promise<string> {
  const port = await sharedPort();
  const name = `store_template_${at ?? "without_partitions"}`;
  const template = templates.get(name) ?? createTemplate(port, name, at);
  templates.set(name, template);
  await template;
  return dropAfterTest(port, await createDatabaseAt(port, name));
}

/** Creates an empty database. Returns its URL. It is deleted when the test ends, with all its connections. */
export async function createDatabase(): Promise<string> {
  const port = await sharedPort();
  return dropAfterTest(port, await createDatabaseAt(port));
}

function dropAfterTest(port: number, name: string): string {
  cleanUp(() =>
    runSql(urlOf(port, "postgres"), `DROP DATABASE ${name} WITH (FORCE)`),
  );
  return urlOf(port, name);
}

/** Returns the parts of a URL from this file. */
export function postgresUrl(url: string): PostgresUrl {
  const { hostname, port, pathname, username } = new URL(url);
  return {
    driver: "postgres",
    host: hostname,
    port: Number(port),
    database: pathname.slice(1),
    user: username,
    password: undefined,
    tls: null,
  };
}

/** Runs one statement on a separate connection. Returns the rows. bigint columns are numbers. */
export async function runSql<Row extends object = Record<string, unknown>>(
  url: string,
  text: string,
  values: unknown[] = [],
): Promise<Row[]> {
  const client = await connect(url);
  try {
    return (await client.query<Row>(text, values)).rows;
  } finally {
    await client.end();
  }
}

/** Opens a connection, for example to hold a lock. It is closed when the test ends. */
export async function openConnection(url: string): Promise<pg.Client> {
  const client = await connect(url);
  cleanUp(() => client.end());
  return client;
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 30_000,
  });
  client.setTypeParser(pg.types.builtins.INT8, Number);
  // A test may end the server while the connection is open.
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

export interface OwnServer {
  readonly port: number;
  readonly folder: string;
  /** Returns the URL of a database. The first one is `postgres`. */
  readonly url: (database?: string) => string;
  /** Creates an empty database. Returns its URL. */
  readonly createDatabase: () => Promise<string>;
  /** Stops all processes of the server. The connections stay open, but nothing answers. Linux only. */
  readonly pause: () => void;
  readonly resume: () => void;
  /** Kills all processes of the server at once, and waits for their end. */
  readonly kill: () => Promise<void>;
  /** Ends the server and all connections, and waits for the end. */
  readonly stop: () => Promise<void>;
  /** Starts the server again, on the same port. */
  readonly start: (
    settings?: Readonly<Record<string, string>>,
  ) => Promise<void>;
  /** Returns the server's log. */
  readonly log: () => string;
}

/** Starts a server that the test may pause, kill and restart. It ends with the test. */
export async function startOwnServer(
  settings: Readonly<Record<string, string>> = {},
): Promise<OwnServer> {
  await sharedPort();
  const folder = temporaryFolder().path;
  let current = settings;
  let server: ServerProcess | null = null;
  let port: number | null = null;

  async function start(): Promise<ServerProcess> {
    const started = await startServer({
      binaries: BINARIES,
      template: TEMPLATE,
      folder,
      port,
      settings: { ...SETTINGS, ...current },
      deletes: false,
    });
    server = started;
    port = started.port;
    return started;
  }

  async function stop(): Promise<void> {
    if (server !== null) {
      signalAll(server.pid, "SIGCONT");
      await server.end();
      server = null;
    }
  }

  cleanUp(stop);
  const first = await start();
  const url = (database = "postgres") => urlOf(first.port, database);
  const running = (): number => {
    if (server === null) {
      throw new Error("the server does not run");
    }
    return server.pid;
  };
  return {
    port: first.port,
    folder,
    url,
    createDatabase: async () => url(await createDatabaseAt(first.port)),
    pause: () => {
      signalAll(running(), "SIGSTOP");
    },
    resume: () => {
      signalAll(running(), "SIGCONT");
    },
    kill: async () => {
      const pids = signalAll(running(), "SIGKILL");
      await eventually(() => pids.every((pid) => !isAlive(pid)));
      await stop();
    },
    stop,
    start: async (changed = current) => {
      current = changed;
      await start();
    },
    log: () => readFileSync(path.join(folder, "log"), "utf8"),
  };
}

/** Sends a signal to the server's first process, and then to its children, which are in other process groups. */
function signalAll(pid: number, signal: NodeJS.Signals): number[] {
  send(pid, signal);
  const pids = childrenOf(pid);
  for (const child of pids) {
    send(child, signal);
  }
  return [pid, ...pids];
}

function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

const isAlive = (pid: number): boolean =>
  stateOf(pid)?.startsWith("Z") === false;

function childrenOf(pid: number): number[] {
  try {
    return readdirSync("/proc")
      .map(Number)
      .filter((one) => stateOf(one)?.split(" ")[1] === String(pid));
  } catch {
    return [];
  }
}

/** Returns the state and the parent of a process, such as `S 1`. Undefined: it has ended. */
function stateOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1);
  } catch {
    return undefined;
  }
}
