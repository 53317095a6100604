import path from "node:path";
import type { Environment } from "../../src/config/load-config.ts";
import type { StoreUrl } from "../../src/store/url.ts";
import { sqliteUrl } from "./fixtures.ts";
import type * as postgres from "./postgres.ts";

/* The store of the services that a test starts in a directory. It is a SQLite file there, or a PostgreSQL database. */

/** Loaded only if a test file needs it, because it takes time. */
let server: typeof postgres | null = null;

const databases = new Map<string, Promise<string>>();

/** Gives the services of this test file PostgreSQL databases. */
export async function usePostgres(): Promise<void> {
  server = await import("./postgres.ts");
}

/** Returns the path of the SQLite file in a directory. */
export const storeFileIn = (folder: string): string =>
  path.join(folder, "hexhook.db");

function databaseOf(
  folder: string,
  { createStoreDatabase }: typeof postgres,
): Promise<string> {
  const found = databases.get(folder) ?? createStoreDatabase();
  databases.set(folder, found);
  return found;
}

/** Returns the location of the store of a directory. */
export const storeUrlIn = async (folder: string): Promise<StoreUrl> =>
  server === null
    ? sqliteUrl(storeFileIn(folder))
    : server.postgresUrl(await databaseOf(folder, server));

/** Returns the variables that services and commands need for the store of a directory, if it is not a SQLite file. */
export async function storeEnvironment(folder: string): Promise<Environment> {
  if (server === null) {
    return {};
  }
  const { postgresEnvironment } = await import("./postgres-service.ts");
  return postgresEnvironment(await databaseOf(folder, server));
}
