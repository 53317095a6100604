import type { PostgresUrl } from "../url.ts";
import { connect } from "./connection.ts";
import { storeError } from "./store-error.ts";

const OLDEST_VERSION = 150_000;

const version = {
  name: "",
  text: "SELECT current_setting('server_version_num')::integer AS number, version() AS text",
};

/** Throws StoreError unless the server is one that can keep the store's promises. */
export async function requireUsableServer(url: PostgresUrl): Promise<void> {
  const connection = await connect(url, { keepsSettings: true });
  try {
    const [row] = await connection.query<{ number: number }>(version);
    if (row === undefined || row.number < OLDEST_VERSION) {
      throw storeError(
        "POSTGRES_TOO_OLD",
        "the server is older than PostgreSQL 15: upgrade it",
      );
    }
  } finally {
    await connection.close();
  }
}
