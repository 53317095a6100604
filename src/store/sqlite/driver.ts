import { createRequire } from "node:module";
import path from "node:path";
import { asError, StoreError } from "../../errors.ts";
import { sqliteErrorName } from "./error-name.ts";

/** The package that is used if Node has no `node:sqlite`. It has the same interface, and prebuilt binaries. */
const PACKAGE = "@photostructure/sqlite";

type Value = string | number | null | Uint8Array;

/**
 * A prepared statement. Rows have no prototype, and a BLOB in them is a plain Uint8Array (see `asBuffer`). An integer
 * that a number cannot hold throws ERR_OUT_OF_RANGE.
 */
export interface Statement<Parameters extends readonly Value[], Row> {
  readonly run: (...parameters: Parameters) => {
    readonly changes: number;
    readonly lastInsertRowid: number;
  };
  readonly get: (...parameters: Parameters) => Row | undefined;
  readonly all: (...parameters: Parameters) => Row[];
}

export interface Database {
  readonly prepare: <
    Parameters extends readonly Value[] = [],
    Row = Record<string, unknown>,
  >(
    sql: string,
  ) => Statement<Parameters, Row>;
  /** Runs statements without parameters, and ignores their rows. */
  readonly exec: (sql: string) => void;
  /** Returns the value of a PRAGMA. */
  readonly pragma: (name: string) => unknown;
  /** Ends the open transaction. Does nothing if SQLite has already ended it, as it does after some errors. */
  readonly rollback: () => void;
  /** Finalizes the statements too. A second call does nothing. */
  readonly close: () => void;
}

/** The methods used here that both `node:sqlite` of Node 22.13 and the package have. */
interface NativeDatabase {
  prepare(sql: string): object;
  exec(sql: string): void;
  close(): void;
}

interface Driver {
  readonly DatabaseSync: new (
    file: string,
    options: { readOnly: boolean },
  ) => NativeDatabase;
}

let loaded: Driver | undefined;

/**
 * Opens the file, and creates it if it does not exist. `busyTimeoutMs`: how long a statement waits for the lock of another
 * connection. `readOnly`: the connection writes nothing. Even if it closes last, it does not move the log into the file.
 */
export function openDatabase(
  file: string,
  options: { busyTimeoutMs: number; readOnly?: boolean },
): Database {
  loaded ??= builtInDriver() ?? packagedDriver();
  // An absolute path is never taken for a URI (`file:`) or for `:memory:`.
  const native = new loaded.DatabaseSync(path.resolve(file), {
    readOnly: options.readOnly === true,
  });
  native.exec(`PRAGMA busy_timeout = ${options.busyTimeoutMs}`);
  let open = true;
  return {
    prepare<Parameters extends readonly Value[], Row>(sql: string) {
      const statement = native.prepare(sql);
      databaseOf.set(statement, native);
      return statement as Statement<Parameters, Row>;
    },
    exec(sql) {
      native.exec(sql);
    },
    pragma(name) {
      const statement = native.prepare(`PRAGMA ${name}`);
      const row = (statement as Statement<[], Record<string, unknown>>).get();
      return Object.values(row ?? {})[0];
    },
    rollback() {
      try {
        native.exec("ROLLBACK");
      } catch (error) {
        // ROLLBACK returns SQLITE_ERROR only if no transaction is active. Node before 22.16 has no `isTransaction` to check
        // first.
        if (sqliteErrorName(error) !== "SQLITE_ERROR") {
          throw error;
        }
      }
    },
    close() {
      if (open) {
        open = false;
        native.close();
      }
    },
  };
}

/** Returns the same bytes as a Buffer, without a copy. Both drivers allocate separate memory for each BLOB. */
export function asBuffer(blob: Uint8Array): Buffer {
  return Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength);
}

/**
 * Text that may contain a NUL is passed to the drivers as bytes: the package writes text only up to its first NUL, and
 * `node:sqlite` of Node 22 reads text only up to the first NUL. Only names that senders choose can contain a NUL. Use
 * `CAST(? AS TEXT)` with `textAsBytes(value)` for a parameter, and `textBytes(column)` with `asText` for a column.
 */
export function textAsBytes(text: string): Buffer {
  return Buffer.from(text, "utf8");
}

export function textBytes(column: string): string {
  return `CAST(${column} AS BLOB) AS ${column}`;
}

export function asText(bytes: Uint8Array): string {
  return asBuffer(bytes).toString("utf8");
}

/**
 * Keeps the database of each statement alive as long as the statement. The statements of the package do not do that: when
 * their database is garbage-collected, they are finalized.
 */
const databaseOf = new WeakMap<object, NativeDatabase>();

/**
 * Returns `node:sqlite`. Undefined: Node has none without a flag (before 22.13), or `--no-experimental-sqlite` disables it.
 * This does not depend on Node's version number, only on what Node can load. So tests can use the flag to select the package
 * on every version of Node.
 */
function builtInDriver(): Driver | undefined {
  // Some versions emit an ExperimentalWarning during this synchronous call. Only that warning is suppressed.
  const emitWarning = Reflect.get(process, "emitWarning");
  process.emitWarning = (warning: string | Error, ...rest: unknown[]) => {
    if (
      rest[0] !== "ExperimentalWarning" ||
      !/^SQLite /.test(String(warning))
    ) {
      Reflect.apply(emitWarning, process, [warning, ...rest]);
    }
  };
  try {
    return process.getBuiltinModule("node:sqlite") as Driver | undefined;
  } finally {
    process.emitWarning = emitWarning;
  }
}

function packagedDriver(): Driver {
  try {
    return createRequire(import.meta.url)(PACKAGE) as Driver;
  } catch (thrown) {
    const [reason] = asError(thrown).message.split("\n");
    throw new StoreError(
      `Node ${process.version} has no node:sqlite and ${PACKAGE} cannot be loaded (${reason}): use Node 22.13 or newer, or run \`npm ci\` again`,
      { code: "STORE_NO_DRIVER", fatal: false },
    );
  }
}
