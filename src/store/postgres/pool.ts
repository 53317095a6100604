import { StoreError } from "../../errors.ts";
import type { PostgresUrl } from "../url.ts";
import { commit, type Connection, connect } from "./connection.ts";
import { DEADLINE_MS } from "./connection-options.ts";
import type { Sql } from "./sql.ts";
import { timedOut } from "./store-error.ts";

/**
 * Several connections. Each call takes at most DEADLINE_MS in all: the wait for a connection, its opening, and the
 * statements.
 */
export interface Pool extends Sql {
  /** Runs statements on one connection, each on its own. */
  readonly use: <T>(work: (sql: Connection) => Promise<T>) => Promise<T>;
  /** Runs statements in one transaction. It is rolled back if `work` rejects. */
  readonly transaction: <T>(work: (sql: Sql) => Promise<T>) => Promise<T>;
  /** Waits for the calls in flight. Later calls reject. */
  readonly close: () => Promise<void>;
}

interface Waiting {
  readonly resolve: (connection: Connection | null) => void;
  readonly reject: (error: StoreError) => void;
}

/** Creates a pool of up to `size` connections. It opens a connection when a call needs it. */
export function createPool(url: PostgresUrl, size: number): Pool {
  const idle: Connection[] = [];
  const waiting: Waiting[] = [];
  const inFlight = new Set<Promise<unknown>>();
  /** The connections that exist or are being opened. */
  let count = 0;
  let isClosed = false;

  /** Gives a free connection, or the right to open one, to the call that has waited longest. */
  function serveNext(): void {
    const connection = takeIdle();
    if (connection === undefined && count >= size) {
      return;
    }
    const next = waiting.shift();
    if (next !== undefined) {
      count += connection === undefined ? 1 : 0;
      next.resolve(connection ?? null);
    } else if (connection !== undefined) {
      idle.push(connection);
    }
  }

  function takeIdle(): Connection | undefined {
    // The connection that was used last; the others may be closed by the server.
    let connection = idle.pop();
    while (connection !== undefined && !connection.isOpen()) {
      connection = idle.pop();
    }
    return connection;
  }

  async function acquire(until: number): Promise<Connection> {
    const free = await new Promise<Connection | null>((resolve, reject) => {
      const entry: Waiting = {
        resolve: (connection) => {
          clearTimeout(timer);
          resolve(connection);
        },
        reject,
      };
      const timer = setTimeout(() => {
        waiting.splice(waiting.indexOf(entry), 1);
        reject(timedOut(`all ${size} connections were in use (DATABASE_POOL)`));
      }, until - performance.now());
      waiting.push(entry);
      serveNext();
    });
    return free ?? (await open(until));
  }

  async function open(until: number): Promise<Connection> {
    try {
      const connection = await connect(url, {
        connectMs: Math.max(1, until - performance.now()),
      });
      void connection.ended.then(forget);
      return connection;
    } catch (error) {
      forget();
      throw error;
    }
  }

  function forget(): void {
    count -= 1;
    serveNext();
  }

  function release(connection: Connection): void {
    connection.endBy(null);
    if (!connection.isOpen()) {
      return;
    }
    if (connection.isInTransaction()) {
      connection.destroy();
      return;
    }
    idle.push(connection);
    serveNext();
  }

  async function useNow<T>(work: (sql: Connection) => Promise<T>): Promise<T> {
    const until = performance.now() + DEADLINE_MS;
    const connection = await acquire(until);
    try {
      connection.endBy(until);
      return await work(connection);
    } finally {
      release(connection);
    }
  }

  function use<T>(work: (sql: Connection) => Promise<T>): Promise<T> {
    if (isClosed) {
      return Promise.reject(
        new StoreError("the store is closed", {
          code: "STORE_CLOSED",
          fatal: false,
        }),
      );
    }
    const call = useNow(work);
    const settled = call.then(
      () => undefined,
      () => undefined,
    );
    inFlight.add(settled);
    void settled.then(() => inFlight.delete(settled));
    return call;
  }

  return {
    use,
    query: (statement, values) => use((sql) => sql.query(statement, values)),
    execute: (statement, values) =>
      use((sql) => sql.execute(statement, values)),
    transaction: (work) => use((sql) => inTransaction(sql, work)),
    close: async () => {
      isClosed = true;
      await Promise.all(inFlight);
      await Promise.all(idle.splice(0).map((connection) => connection.close()));
    },
  };
}

/** Runs statements in one READ COMMITTED transaction of a connection. It is rolled back if `work` rejects. */
export async function inTransaction<T>(
  connection: Connection,
  work: (sql: Sql) => Promise<T>,
): Promise<T> {
  await connection.command("BEGIN");
  try {
    const result = await work(connection);
    await commit(connection);
    return result;
  } catch (error) {
    if (connection.isOpen() && connection.isInTransaction()) {
      await connection.command("ROLLBACK").catch(() => {
        connection.destroy();
      });
    }
    throw error;
  }
}
