import { readEnvironment, readVariables } from "../config.ts";
import { type AuditReader, type AuditRow } from "../core/store.ts";
import { openSqliteReader } from "../store/sqlite.ts";

const BATCH = 1000;

/** Opens the configured store's audit trail for as long as `use` takes. Only DATABASE_URL is needed for it. */
export async function withTrail<T>(
  use: (trail: AuditReader) => Promise<T>,
): Promise<T> {
  const { DATABASE_URL: file } = readVariables(readEnvironment(), [
    "DATABASE_URL",
  ]);
  const trail = openSqliteReader(file);
  try {
    return await use(trail);
  } finally {
    await trail.close();
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
