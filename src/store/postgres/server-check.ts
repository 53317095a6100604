import { StoreError } from "../../errors.ts";
import type { PostgresUrl } from "../url.ts";
import { connect, type Connection } from "./connection.ts";
import { PROBES } from "./feature-probes.ts";
import { named, storeError, TIMEOUT, UNREACHABLE } from "./store-error.ts";

const OLDEST_VERSION = 15;

/** Servers that speak PostgreSQL's protocol and lack features that the store needs, by their `version()`. */
const REFUSED: readonly (readonly [RegExp, string])[] = [
  [/CockroachDB/i, "CockroachDB"],
  [/-YB-|Yugabyte/i, "YugabyteDB"],
  [/DSQL/i, "Aurora DSQL"],
  [/Redshift/i, "Amazon Redshift"],
  [/Greenplum/i, "Greenplum"],
  [/Materialize/i, "Materialize"],
  [/CrateDB/i, "CrateDB"],
  [/QuestDB/i, "QuestDB"],
  [/Spanner/i, "Spanner"],
];

/** The host names of Aurora DSQL, whose `version()` does not name it. */
const DSQL_HOST = /\.dsql\.[a-z0-9-]+\.on\.aws$/i;

const NEEDED = `use PostgreSQL ${OLDEST_VERSION} or newer`;

/** The facts about a server on which its use depends. */
export interface ServerFacts {
  readonly version: string;
  /** `server_version_num`, such as 150004. */
  readonly versionNumber: number;
  readonly isStandby: boolean;
  readonly encoding: string;
  readonly fsync: string;
  readonly fullPageWrites: string;
  readonly synchronousCommit: string;
  /** Empty: a commit waits for no standby. */
  readonly synchronousStandbys: string;
}

const FACTS = {
  name: "",
  text: `SELECT version() AS version, pg_is_in_recovery() AS "isStandby",
    current_setting('server_version_num')::integer AS "versionNumber", current_setting('server_encoding') AS encoding,
    current_setting('fsync') AS fsync, current_setting('full_page_writes') AS "fullPageWrites",
    current_setting('synchronous_commit') AS "synchronousCommit",
    current_setting('synchronous_standby_names') AS "synchronousStandbys"`,
};

const VERSION = { name: "", text: "SELECT version() AS version" };

/** Our tables and their partitions. */
const UNLOGGED = {
  name: "",
  text: `SELECT relname AS name FROM pg_class
    WHERE relpersistence = 'u' AND relkind = 'r' AND relnamespace = to_regnamespace(current_schema()::text)
      AND relname ~ ('^(event|event_id|unsigned_event|replay_claim|timeless_claim|pending_delivery|ended_delivery|attempt|expired_day|'
        || 'audit_entry|audit_writer|audit_sink|paused_destination|process_status|lease|claim_lock|attempt_start)(_kept|_[dh]?\\d+)?$')
    LIMIT 1`,
};

const BACKEND = { name: "", text: "SELECT pg_backend_pid() AS pid" };

/** Throws StoreError unless the server has what the store needs, and keeps what it has committed. */
export function requireUsableServer(url: PostgresUrl): Promise<void> {
  if (DSQL_HOST.test(url.host)) {
    return Promise.reject(refusedByName("Aurora DSQL"));
  }
  return withConnection(url, async (connection) => {
    const [row] = await connection.query<{ version: string }>(VERSION);
    requireKnownServer(row?.version ?? "");
    requireSafeSettings(await readFacts(connection));
    await requireFeatures(connection);
    await requireNoUnloggedTable(connection);
    await requireNoSharedBackend(url, connection);
  });
}

/** Whether each commit waits for a standby. If not, a failover may lose the latest commits. */
export function waitsForStandby(url: PostgresUrl): Promise<boolean> {
  return withConnection(
    url,
    async (connection) =>
      (await readFacts(connection)).synchronousStandbys !== "",
  );
}

/** Runs `work` on a connection with the settings that an operator has made. Its errors name the database. */
async function withConnection<T>(
  url: PostgresUrl,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = await connect(url, { keepsSettings: true });
  try {
    return await named(url, () => work(connection));
  } finally {
    await connection.close();
  }
}

async function readFacts(connection: Connection): Promise<ServerFacts> {
  const [facts] = await connection.query<ServerFacts>(FACTS);
  if (facts === undefined) {
    throw storeError("POSTGRES_UNSUPPORTED", `the server returned nothing`);
  }
  return facts;
}

const refusedByName = (name: string): StoreError =>
  storeError(
    "POSTGRES_UNSUPPORTED",
    `the server is ${name}, which lacks features that Hexhook needs: ${NEEDED}`,
  );

/** Throws StoreError for a server that is not PostgreSQL. `version`: what `version()` returned. */
export function requireKnownServer(version: string): void {
  const found = REFUSED.find(([pattern]) => pattern.test(version));
  if (found !== undefined) {
    throw refusedByName(found[1]);
  }
}

/** Throws StoreError for a server that is too old, or can lose what it has committed. */
export function requireSafeSettings(facts: ServerFacts): void {
  const major = Math.floor(facts.versionNumber / 10_000);
  if (major < OLDEST_VERSION) {
    throw storeError(
      "POSTGRES_TOO_OLD",
      `the server is PostgreSQL ${major}: ${NEEDED}`,
    );
  }
  if (facts.isStandby) {
    throw storeError(
      "POSTGRES_STANDBY",
      "the server is a standby, which cannot be written: set DATABASE_URL to the primary",
    );
  }
  if (facts.encoding !== "UTF8") {
    throw storeError(
      "POSTGRES_ENCODING",
      `the database has the encoding ${facts.encoding}: create one with ENCODING 'UTF8'`,
    );
  }
  requireOn("fsync", facts.fsync === "on");
  requireOn("full_page_writes", facts.fullPageWrites === "on");
  // `local` does not wait for the standbys that an operator requires. The other values wait for the disk.
  requireOn(
    "synchronous_commit",
    !/^(?:off|local)$/.test(facts.synchronousCommit),
  );
}

function requireOn(setting: string, isSafe: boolean): void {
  if (!isSafe) {
    throw storeError(
      "POSTGRES_NOT_DURABLE",
      `the setting ${setting} lets PostgreSQL lose acknowledged events: set it to on`,
    );
  }
}

/** Uses each feature in a transaction that is rolled back. */
async function requireFeatures(connection: Connection): Promise<void> {
  for (const { feature, text } of PROBES) {
    try {
      await connection.command(`BEGIN; ${text}; ROLLBACK`);
    } catch (thrown) {
      const code = thrown instanceof StoreError ? thrown.code : "";
      if (code === UNREACHABLE || code === TIMEOUT) {
        throw thrown;
      }
      await connection.command("ROLLBACK");
      // The user may lack the permission to create temporary tables, which only the probes need.
      if (code !== "42501") {
        throw storeError(
          "POSTGRES_UNSUPPORTED",
          `the server has no ${feature} (${code}): ${NEEDED}`,
        );
      }
    }
  }
}

async function requireNoUnloggedTable(connection: Connection): Promise<void> {
  const [row] = await connection.query<{ name: string }>(UNLOGGED);
  if (row !== undefined) {
    throw storeError(
      "POSTGRES_NOT_DURABLE",
      `the table ${row.name} is unlogged, so a crash empties it: run ALTER TABLE ${row.name} SET LOGGED`,
    );
  }
}

/**
 * Throws StoreError if a pooler gives one server process to several connections at once, transaction by transaction: locks
 * and prepared statements would belong to any of them.
 */
async function requireNoSharedBackend(
  url: PostgresUrl,
  first: Connection,
): Promise<void> {
  const second = await connect(url, { keepsSettings: true });
  try {
    const pids = [];
    for (const connection of [first, second]) {
      const [row] = await connection.query<{ pid: number }>(BACKEND);
      pids.push(row?.pid);
    }
    if (pids[0] === pids[1]) {
      throw storeError(
        "POSTGRES_POOLER",
        "a connection pooler shares PostgreSQL's sessions between connections: set DATABASE_URL to PostgreSQL itself",
      );
    }
  } finally {
    await second.close();
  }
}
