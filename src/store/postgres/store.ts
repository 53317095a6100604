import { StoreError } from "../../errors.ts";
import type { Store, StoreDeps, StoreReader } from "../port.ts";
import type { PostgresUrl } from "../url.ts";

/** Opens a store for writing and brings its schema up to date. */
export const openPostgresStore: (
  url: PostgresUrl,
  deps: StoreDeps,
) => Promise<Store> = notBuilt;

/** Opens an existing store for reading. */
export const openPostgresReader: (
  url: PostgresUrl,
  options: { snapshot: boolean },
) => Promise<StoreReader> = notBuilt;

/** Brings the schema up to date. Returns the schema versions before and after; 0 = there were no tables. */
export const migratePostgres: (
  url: PostgresUrl,
) => Promise<{ from: number; to: number }> = notBuilt;

/** Whether the database has this program's tables. */
export const postgresStoreExists: (url: PostgresUrl) => Promise<boolean> =
  notBuilt;

async function notBuilt(): Promise<never> {
  throw new StoreError("PostgreSQL is not supported yet", {
    code: "POSTGRES_UNSUPPORTED",
    fatal: false,
  });
}
