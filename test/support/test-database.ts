import path from "node:path";
import type { Store, StoreDeps } from "../../src/store/port.ts";
import type { StoreUrl } from "../../src/store/url.ts";
import {
  createStoreDatabase,
  openConnection,
  postgresUrl,
  runSql,
} from "./postgres.ts";
import { openFile } from "./store-file.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** The database of one test, in which stores can be opened. Its functions act as another program does. */
export interface TestDatabase {
  readonly url: StoreUrl;
  /** Returns the rows of a query, each as the values of its columns. */
  readonly query: (sql: string) => Promise<unknown[][]>;
  readonly execute: (sql: string) => Promise<void>;
  /** Makes all writes with audit entries wait, but no reads. Returns the function that ends it. */
  readonly block: () => Promise<() => Promise<void>>;
  /** Makes all writes with audit entries fail, but no reads. Returns the function that ends it. */
  readonly failWrites: () => Promise<() => Promise<void>>;
}

/** A kind of stores. All kinds must behave the same. */
export interface StoreKind {
  readonly name: string;
  /** Creates an empty database, which is deleted when the test ends. */
  readonly createDatabase: () => Promise<TestDatabase>;
  readonly open: (url: StoreUrl, deps: StoreDeps) => Promise<Store>;
}

/** Returns the database in a file, which a store creates when it is opened. */
export function sqliteDatabase(
  file = path.join(temporaryFolder().path, "hexhook.db"),
): TestDatabase & { readonly file: string } {
  const execute = (sql: string): void => {
    const db = openFile(file);
    try {
      db.exec(sql);
    } finally {
      db.close();
    }
  };
  return {
    file,
    url: { driver: "sqlite", file },
    query: async (sql) => {
      const db = openFile(file, { readOnly: true });
      try {
        return db
          .prepare(sql)
          .all()
          .map((row) => Object.values(row));
      } finally {
        db.close();
      }
    },
    execute: async (sql) => {
      execute(sql);
    },
    block: async () => {
      const db = openFile(file);
      db.exec("BEGIN IMMEDIATE");
      return async () => {
        db.exec("COMMIT");
        db.close();
      };
    },
    failWrites: async () => {
      execute(
        `CREATE TRIGGER fail_writes BEFORE INSERT ON audit_entry
         BEGIN SELECT raise(ABORT, 'writes fail'); END`,
      );
      return async () => {
        execute("DROP TRIGGER fail_writes");
      };
    },
  };
}

/** The time that the clocks of most stores show at the beginning of a test. */
export const START = 5000;

/** Returns a new database on a real PostgreSQL server, with the empty tables of a store and the partitions of START. */
export async function postgresDatabase(): Promise<TestDatabase> {
  const address = await createStoreDatabase(START);
  const execute = async (sql: string): Promise<void> => {
    await runSql(address, sql);
  };
  return {
    url: postgresUrl(address),
    query: async (sql) =>
      (await runSql(address, sql)).map((row) => Object.values(row)),
    execute,
    block: async () => {
      const connection = await openConnection(address);
      await connection.query(
        "BEGIN; LOCK TABLE audit_writer IN EXCLUSIVE MODE",
      );
      return async () => {
        await connection.query("COMMIT");
      };
    },
    failWrites: async () => {
      await execute(
        `CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN RAISE 'writes fail' USING ERRCODE = 'disk_full'; END $$;
         CREATE TRIGGER fail_writes BEFORE INSERT ON audit_entry EXECUTE FUNCTION fail()`,
      );
      return () =>
        execute("DROP TRIGGER fail_writes ON audit_entry; DROP FUNCTION fail");
    },
  };
}
