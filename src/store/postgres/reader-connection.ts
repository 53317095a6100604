import type { PostgresUrl } from "../url.ts";
import { connect, type Connection } from "./connection.ts";
import type { Sql } from "./sql.ts";
import { unreachable } from "./store-error.ts";

/** How long one read may take, in milliseconds. No request waits for it, and each one is bounded. */
const READ_MS = 30_000;

/** How long a snapshot may be unused while its reader works on what it has read, in milliseconds. */
const SNAPSHOT_IDLE_MS = 600_000;

/** The connection of a reader. Its statements run one after another. */
export interface ReaderConnection extends Sql {
  readonly close: () => Promise<void>;
}

/** Opens the connection of a reader. Without `snapshot`, a connection that was lost is opened again by the next read. */
export async function openReaderConnection(
  url: PostgresUrl,
  { snapshot }: { snapshot: boolean },
): Promise<ReaderConnection> {
  let connection = await open();
  let last: Promise<unknown> = Promise.resolve();
  let isClosed = false;

  async function open(): Promise<Connection> {
    const opened = await connect(url, {
      deadlineMs: READ_MS,
      ...(snapshot && { idleInTransactionMs: SNAPSHOT_IDLE_MS }),
    });
    try {
      if (snapshot) {
        await opened.command("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
      }
      return opened;
    } catch (error) {
      opened.destroy();
      throw error;
    }
  }

  async function usable(): Promise<Connection> {
    if (!connection.isOpen()) {
      if (snapshot || isClosed) {
        throw unreachable();
      }
      connection = await open();
    }
    return connection;
  }

  /** Runs `read` after all earlier reads. */
  function inTurn<T>(read: (sql: Connection) => Promise<T>): Promise<T> {
    const result = last.then(async () => read(await usable()));
    last = result.catch(() => undefined);
    return result;
  }

  return {
    query: (statement, values) => inTurn((sql) => sql.query(statement, values)),
    execute: (statement, values) =>
      inTurn((sql) => sql.execute(statement, values)),
    close: async () => {
      await last;
      isClosed = true;
      await connection.close();
    },
  };
}
