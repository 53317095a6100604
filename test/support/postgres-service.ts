import type { Environment } from "../../src/config/load-config.ts";
import { eventually } from "./eventually.ts";
import { eventBody, signed, SIGNING_KEY } from "./fixtures.ts";
import { createDatabase } from "./postgres.ts";

/** The signing key that all processes of a shared store need. */
const KEY = SIGNING_KEY.export({ format: "pem", type: "pkcs8" }).toString();

/** Sends an event until it is accepted: on a busy machine, the database may answer too late for the first response. */
export async function deliver(
  service: {
    readonly post: (
      body: Buffer,
      headers: Record<string, string>,
    ) => Promise<{ readonly status: number }>;
  },
  id: string,
): Promise<void> {
  const body = eventBody(id);
  const headers = signed(body);
  await eventually(
    async () => (await service.post(body, headers)).status === 200,
  );
}

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
