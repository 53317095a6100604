/* What `open.ts` needs of this driver. */

export { migratePostgres, postgresStoreExists } from "./migrate.ts";
export { openPostgresReader } from "./reader.ts";
export { requireUsableServer, waitsForStandby } from "./server-check.ts";
export { openPostgresStore } from "./store.ts";
