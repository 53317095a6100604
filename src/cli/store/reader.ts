import { readEnvironment, readVariables } from "../../config/load-config.ts";
import type { AuditReader, AuditRow, EventReader } from "../../store/port.ts";
import { openSqliteReader } from "../../store/sqlite/store.ts";

const BATCH = 1000;

/** The configured store. Only DATABASE_URL is needed for it. */
export function databaseFile(): string {
  return readVariables(readEnvironment(), ["DATABASE_URL"]).DATABASE_URL;
}

/** Opens the configured store for reading for as long as `use` takes. */
export async function withReader<T>(
  use: (store: AuditReader & EventReader) => Promise<T>,
  options: { snapshot: boolean } = { snapshot: false },
): Promise<T> {
  const store = openSqliteReader(databaseFile(), options);
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

/** All entries behind `position`, in order, in constant memory. */
export async function* rowsOf(
  trail: AuditReader,
  position = 0,
): AsyncGenerator<AuditRow> {
  let rows: readonly AuditRow[];
  let last = position;
  do {
    rows = await trail.readAudit(last, BATCH);
    yield* rows;
    last = rows.at(-1)?.position ?? last;
  } while (rows.length === BATCH);
}
