import type { PostgresUrl } from "../url.ts";
import { PARTITION_LOCK } from "./advisory-locks.ts";
import { connect } from "./connection.ts";
import { dayOf, HOUR_SECONDS, hourOf } from "./days.ts";
import { inTransaction, type Pool } from "./pool.ts";
import type { Sql, Statement } from "./sql.ts";
import { storeError } from "./store-error.ts";

/**
 * What is partitioned together. `event`: an event's tables, by the UTC day of its acceptance. `audit_entry`: by the UTC day of
 * its writing. `replay_claim`: by the hour of the signed time.
 */
export type PartitionKind = "event" | "audit_entry" | "replay_claim";

const TABLES = {
  event: ["event", "ended_delivery", "attempt"],
  audit_entry: ["audit_entry"],
  replay_claim: ["replay_claim"],
} as const satisfies Record<PartitionKind, readonly string[]>;

/** The partitions that are made ahead. */
const DAYS_AHEAD = 3;
const HOURS_AHEAD = 12;

/** How long the detaching of a partition may wait for transactions that still use it, in milliseconds. */
const DETACH_MS = 60_000;

/** Creates and drops the partitions of days and hours. All methods reject with StoreError. */
export interface Partitions {
  /**
   * Creates the partitions that do not exist. Callers do this before the transaction that writes to them. Does not ask the
   * database about partitions that this process has seen.
   */
  readonly ensure: (
    kind: PartitionKind,
    keys: Iterable<number>,
  ) => Promise<void>;
  /** Creates the partitions of the next days and hours. `now`: unix milliseconds. */
  readonly ahead: (now: number) => Promise<void>;
  /** Forgets which partitions exist, because another process has dropped one. */
  readonly forget: () => void;
  /** Returns the keys of the existing partitions, lowest first. Includes those whose deletion was interrupted. */
  readonly list: (kind: PartitionKind) => Promise<readonly number[]>;
  /**
   * Deletes the partitions of a key with all their rows, without blocking other transactions. Waits until the transactions
   * that use them have ended. If it is interrupted, it can be called again.
   */
  readonly drop: (kind: PartitionKind, key: number) => Promise<void>;
}

/** The existing table with a partition's name. `isAttached` is false if its deletion was interrupted. */
interface Partition {
  readonly name: string;
  readonly isAttached: boolean;
  readonly isDetaching: boolean;
}

const lock: Statement = {
  name: "",
  text: "SELECT pg_advisory_xact_lock($1, $2)",
};

const find: Statement = {
  name: "",
  text: `SELECT relname AS name, inhrelid IS NOT NULL AS "isAttached", COALESCE(inhdetachpending, false) AS "isDetaching"
    FROM pg_class LEFT JOIN pg_inherits ON inhrelid = pg_class.oid
    WHERE relname = ANY ($1::text[]) AND relnamespace = to_regnamespace(current_schema()::text)`,
};

const listNames: Statement = {
  name: "",
  text: `SELECT DISTINCT substr(relname, length(prefix) + 1)::bigint AS key
    FROM unnest($1::text[]) AS prefix JOIN pg_class ON starts_with(relname, prefix)
    WHERE relnamespace = to_regnamespace(current_schema()::text) AND relkind = 'r'
      AND substr(relname, length(prefix) + 1) ~ '^\\d{1,9}$'
    ORDER BY key`,
};

export function createPartitions(url: PostgresUrl, pool: Pool): Partitions {
  /** The existing partitions, or those that are being created. */
  const known = new Map<string, Promise<void>>();

  const ensure: Partitions["ensure"] = async (kind, keys) => {
    const wanted = [...new Set(keys)];
    const missing = wanted.filter((key) => !known.has(`${kind} ${key}`));
    if (missing.length > 0) {
      const created = createAll(pool, kind, missing);
      for (const key of missing) {
        known.set(`${kind} ${key}`, created);
      }
      created.catch(() => {
        for (const key of missing) {
          known.delete(`${kind} ${key}`);
        }
      });
    }
    await Promise.all(
      wanted.flatMap((key) => known.get(`${kind} ${key}`) ?? []),
    );
  };

  async function detachAndDrop(
    kind: PartitionKind,
    table: string,
    key: number,
  ): Promise<void> {
    const connection = await connect(url, { deadlineMs: DETACH_MS });
    const name = nameOf(kind, table, key);
    try {
      const partition = (await findAll(connection, [name])).get(name);
      if (partition?.isAttached === true) {
        // FINALIZE completes a detaching that was interrupted.
        await connection.command(
          `ALTER TABLE ${table} DETACH PARTITION ${name} ${partition.isDetaching ? "FINALIZE" : "CONCURRENTLY"}`,
        );
      }
      await inTransaction(connection, async (sql) => {
        await sql.query(lock, PARTITION_LOCK);
        // Meanwhile another process may have created it anew.
        const found = await findAll(sql, [name]);
        if (found.get(name)?.isAttached === false) {
          await connection.command(`DROP TABLE ${name}`);
        }
      });
    } finally {
      await connection.close();
    }
  }

  return {
    ensure,
    forget: () => {
      known.clear();
    },
    ahead: async (now) => {
      const day = dayOf(now);
      const hour = hourOf(now / 1000);
      const days = range(day, DAYS_AHEAD);
      await ensure("event", days);
      await ensure("audit_entry", days);
      await ensure("replay_claim", range(hour, HOURS_AHEAD));
    },
    list: async (kind) => {
      const rows = await pool.query<{ key: number }>(listNames, [
        TABLES[kind].map((table) => prefixOf(kind, table)),
      ]);
      return rows.map(({ key }) => key);
    },
    drop: async (kind, key) => {
      known.delete(`${kind} ${key}`);
      for (const table of TABLES[kind]) {
        await detachAndDrop(kind, table, key);
      }
    },
  };
}

const range = (first: number, more: number): number[] =>
  Array.from({ length: more + 1 }, (_, i) => first + i);

const prefixOf = (kind: PartitionKind, table: string): string =>
  `${table}_${kind === "replay_claim" ? "h" : "d"}`;

const nameOf = (kind: PartitionKind, table: string, key: number): string =>
  `${prefixOf(kind, table)}${key}`;

async function findAll(
  sql: Sql,
  names: readonly string[],
): Promise<ReadonlyMap<string, Partition>> {
  const rows = await sql.query<Partition>(find, [names]);
  return new Map(rows.map((row) => [row.name, row]));
}

/**
 * Creates the partitions that do not exist, with few round trips. ATTACH, unlike CREATE … PARTITION OF, does not block
 * writers.
 */
async function createAll(
  pool: Pool,
  kind: PartitionKind,
  keys: readonly number[],
): Promise<void> {
  const wanted = TABLES[kind].flatMap((table) =>
    keys.map((key) => ({ table, key, name: nameOf(kind, table, key) })),
  );
  const size = kind === "replay_claim" ? HOUR_SECONDS : 1;
  await pool.use((connection) =>
    inTransaction(connection, async (sql) => {
      await sql.query(lock, PARTITION_LOCK);
      const found = await findAll(
        sql,
        wanted.map(({ name }) => name),
      );
      const texts = wanted.flatMap(({ table, key, name }) => [
        ...makeRoom(name, found.get(name)),
        ...(found.get(name)?.isAttached === true
          ? []
          : [
              `CREATE TABLE ${name} (LIKE ${table} INCLUDING ALL)`,
              `ALTER TABLE ${table} ATTACH PARTITION ${name} FOR VALUES FROM (${key * size}) TO (${(key + 1) * size})`,
            ]),
      ]);
      if (texts.length > 0) {
        await connection.command(texts.join(";"));
      }
    }),
  );
}

/** Returns the statements that delete what an interrupted deletion has left. */
function makeRoom(name: string, found: Partition | undefined): string[] {
  if (found?.isDetaching === true) {
    throw storeError(
      "PARTITION_DROPPED",
      `the partition ${name} is being dropped: try again`,
    );
  }
  // What a detached partition contains is already deleted for all readers.
  return found?.isAttached === false ? [`DROP TABLE ${name}`] : [];
}
