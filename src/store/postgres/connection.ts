import pg from "pg";
import type { PostgresUrl } from "../url.ts";
import {
  type ConnectOptions,
  connectionOptions,
  DEADLINE_MS,
} from "./connection-options.ts";
import type { Sql, Statement } from "./sql.ts";
import {
  asStoreError,
  named,
  READ_ONLY,
  storeError,
  timedOut,
  unreachable,
} from "./store-error.ts";

/** How long the server may take to end a connection that is closed, in milliseconds. */
const CLOSE_MS = 1000;

/** The type number of `bigint[]` (`SELECT oid FROM pg_type WHERE typname = '_int8'`). */
// eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- the driver does not name all types
const INT8_ARRAY = 1016 as Parameters<typeof pg.types.getTypeParser>[0];

/**
 * One connection. Its statements run one after another. After an error, `isOpen` tells whether the connection still exists:
 * if not, it is unknown whether the statement took effect.
 */
export interface Connection extends Sql {
  /** Runs one or more statements without parameters. Returns the tag of the last one, such as `COMMIT`. */
  readonly command: (text: string) => Promise<string>;
  /** The process id of the server's side, for pg_terminate_backend. */
  readonly backendPid: number;
  readonly isOpen: () => boolean;
  /** Whether a transaction is open, also a failed one. */
  readonly isInTransaction: () => boolean;
  /** Resolves when the connection has ended, for any reason. */
  readonly ended: Promise<void>;
  /**
   * Further statements end at this time of `performance.now()` at the latest; null = only the deadline of one statement
   * applies.
   */
  readonly endBy: (time: number | null) => void;
  readonly close: () => Promise<void>;
  /** Ends the connection at once. A statement in flight fails. */
  readonly destroy: () => void;
}

/** Opens a connection. Rejects with StoreError if that fails or takes too long. */
export async function connect(
  url: PostgresUrl,
  options: ConnectOptions = {},
): Promise<Connection> {
  const client = new pg.Client(connectionOptions(url, options));
  // All values of these columns are below 2^53. The driver would return strings.
  client.setTypeParser(pg.types.builtins.INT8, Number);
  client.setTypeParser(INT8_ARRAY, toNumbers);
  // Without a listener, an error of an idle connection would end the process.
  client.on("error", () => undefined);
  const { connectMs = DEADLINE_MS } = options;
  return named(url, async () => {
    // The driver's own time limit does not cover the query.
    const cancelDeadline = startDeadline(connectMs, () => {
      destroyClient(client);
    });
    try {
      await client.connect();
      const {
        rows: [row],
      } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
      return createConnection(client, row?.pid ?? 0, options);
    } catch (error) {
      destroyClient(client);
      throw error;
    } finally {
      cancelDeadline();
    }
  });
}

/** Commits the transaction of a connection. Rejects with StoreError if PostgreSQL rolled it back. */
export async function commit(
  connection: Pick<Connection, "command">,
): Promise<void> {
  const tag = await connection.command("COMMIT");
  if (tag !== "COMMIT") {
    // A transaction that had failed before answers ROLLBACK, without an error.
    throw storeError("POSTGRES_ROLLBACK", `a transaction ended with ${tag}`);
  }
}

const toNumbers = (text: string): number[] =>
  text === "{}" ? [] : text.slice(1, -1).split(",").map(Number);

const destroyClient = (client: pg.Client): void => {
  client.connection.stream.destroy();
};

function createConnection(
  client: pg.Client,
  backendPid: number,
  { deadlineMs = DEADLINE_MS }: ConnectOptions,
): Connection {
  let isOpen = true;
  let endsBy: number | null = null;
  const ended = new Promise<void>((resolve) => {
    client.on("end", resolve);
  });
  const lose = (): void => {
    isOpen = false;
  };
  client.on("error", lose);
  client.on("end", lose);

  function destroy(): void {
    isOpen = false;
    destroyClient(client);
  }

  function run(query: pg.QueryConfig): Promise<pg.QueryResult> {
    if (!isOpen) {
      return Promise.reject(unreachable());
    }
    return new Promise((resolve, reject) => {
      const cancelDeadline = startDeadline(
        Math.min(deadlineMs, (endsBy ?? Infinity) - performance.now()),
        () => {
          reject(timedOut("PostgreSQL did not answer in time"));
          // Nothing waits for a server that does not answer.
          destroy();
        },
      );
      client.query(query, (error: Error | null, result) => {
        cancelDeadline();
        if (error === null) {
          resolve(result);
        } else {
          const converted = asStoreError(error);
          if (converted.code === READ_ONLY) {
            // A session may keep that setting for life, and another server may answer the next connection.
            destroy();
          }
          reject(converted);
        }
      });
    });
  }

  const prepared = (
    { name, text }: Statement,
    values: readonly unknown[] = [],
  ): Promise<pg.QueryResult> => run({ name, text, values: [...values] });

  return {
    query: async <Row extends object>(
      statement: Statement,
      values?: readonly unknown[],
    ) => (await prepared(statement, values)).rows as Row[],
    execute: async (statement, values) =>
      (await prepared(statement, values)).rowCount ?? 0,
    command: async (text) => lastTag(await run({ text })),
    backendPid,
    isOpen: () => isOpen,
    isInTransaction: () => client.getTransactionStatus() !== "I",
    ended,
    endBy: (time) => {
      endsBy = time;
    },
    close: async () => {
      if (isOpen) {
        isOpen = false;
        const timer = setTimeout(() => {
          destroyClient(client);
        }, CLOSE_MS);
        await client.end();
        clearTimeout(timer);
      }
      await ended;
    },
    destroy,
  };
}

/** The driver returns a list if the text has several statements. */
function lastTag(result: pg.QueryResult | pg.QueryResult[]): string {
  return Array.isArray(result)
    ? (result.at(-1)?.command ?? "")
    : result.command;
}

/**
 * Calls `expire` after the time, unless it is canceled before. If this process was blocked meanwhile, an answer that has
 * arrived is read first.
 */
function startDeadline(ms: number, expire: () => void): () => void {
  let isOver = false;
  const timer = setTimeout(
    () => {
      setImmediate(() => {
        if (!isOver) {
          expire();
        }
      });
    },
    Math.max(0, ms),
  );
  return () => {
    isOver = true;
    clearTimeout(timer);
  };
}
