import type { Environment } from "../../src/config/load-config.ts";
import { SIGNING_KEY } from "./fixtures.ts";
import { createDatabase } from "./postgres.ts";

/** The signing key that all processes of a shared store need. */
const KEY = SIGNING_KEY.export({ format: "pem", type: "pkcs8" }).toString();

/** Returns the environment of a service or command on a database. Default: a new database. */
export async function postgresEnvironment(
  url?: string,
): Promise<Environment & { readonly DATABASE_URL: string }> {
  return {
    DATABASE_URL: url ?? (await createDatabase()),
    AUDIT_SIGNING_KEY: KEY,
    DATABASE_POOL: "4",
  };
}
