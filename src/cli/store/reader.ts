import type { StoredEntry } from "../../store/records.ts";
import { readEnvironment, readVariables } from "../../config/load-config.ts";
import type { AuditReader, StoreReader } from "../../store/port.ts";
import { openStoreReader } from "../../store/open.ts";
import type { StoreUrl } from "../../store/url.ts";
import type { Io } from "../io.ts";

const BATCH = 1000;

/** Returns the URL of the configured store. Reads DATABASE_URL only. */
export function configuredStore(io: Io): StoreUrl {
  return readVariables(readEnvironment(io.env), ["DATABASE_URL"]).DATABASE_URL;
}

/** Opens the configured store for reading, and closes it when `use` has ended. */
export async function withReader<T>(
  io: Io,
  use: (store: StoreReader) => Promise<T>,
  options: { snapshot: boolean } = { snapshot: false },
): Promise<T> {
  const store = await openStoreReader(configuredStore(io), options);
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

/** Yields all entries after `position` in order, in constant memory. */
export async function* rowsOf(
  trail: AuditReader,
  position = 0,
): AsyncGenerator<StoredEntry> {
  let rows: readonly StoredEntry[];
  let last = position;
  do {
    rows = await trail.readAudit(last, BATCH);
    yield* rows;
    last = rows.at(-1)?.position ?? last;
  } while (rows.length === BATCH);
}
