import { createRequire } from "node:module";
import path from "node:path";
import { asError, StoreError } from "../../errors.ts";
import { sqliteErrorName } from "./error-name.ts";

/** Serves where Node has no `node:sqlite`: the same interface, with prebuilt binaries in the npm package. */
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
  /** The value of a PRAGMA. */
  readonly pragma: (name: string) => unknown;
  /** Ends the open transaction; does nothing when SQLite has ended it already, as some errors make it do. */
  readonly rollback: () => void;
  /** Finalizes the statements too. A second call does nothing. */
  readonly close: () => void;
}

/** What `node:sqlite` of Node 22.13 and the package have in common, as far as it is used here. */
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
 * connection. `readOnly`: writes nothing at all, not even the log into the file when it is the last to close it.
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
        // The one SQLITE_ERROR of ROLLBACK is "no transaction is active". Node before 22.16 has no `isTransaction` to ask.
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

/** The same bytes, not a copy: both drivers give each BLOB memory of its own. */
export function asBuffer(blob: Uint8Array): Buffer {
  return Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength);
}

/**
 * Text that may contain a NUL passes the drivers as bytes: the package writes text only up to its first NUL, and
 * `node:sqlite` of Node 22 reads no more. Only the names that senders choose can contain one; all other text is JSON or has a
 * grammar without it. A parameter is `CAST(? AS TEXT)` with `textAsBytes(value)`, a column `textBytes(column)` with `asText`.
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
 * The package's statements do not keep their database alive: once that is garbage-collected, they are finalized. Here each
 * statement does, and only for as long as it lives itself.
 */
const databaseOf = new WeakMap<object, NativeDatabase>();

/**
 * `node:sqlite`, or undefined where Node has none without a flag (before 22.13), or where `--no-experimental-sqlite` turns
 * it off. What Node can load decides, not its version: so that flag selects the package on every Node, as the tests do.
 */
function builtInDriver(): Driver | undefined {
  // The ExperimentalWarning of some versions is emitted during this one synchronous call; all other warnings pass.
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
