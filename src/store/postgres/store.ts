import { StoreError } from "../../errors.ts";
import type { Store, StoreDeps } from "../port.ts";
import type { PostgresUrl } from "../url.ts";

/** Opens a store for writing and brings its schema up to date. */
export const openPostgresStore: (
  url: PostgresUrl,
  deps: StoreDeps,
) => Promise<Store> = notBuilt;

async function notBuilt(): Promise<never> {
  throw new StoreError("PostgreSQL is not supported yet", {
    code: "POSTGRES_UNSUPPORTED",
    fatal: false,
  });
}
