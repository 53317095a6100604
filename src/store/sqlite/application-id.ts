import { StoreError } from "../../errors.ts";
import type { Database } from "./driver.ts";

/** The application id in the header of the SQLite file: "HEXH". It never changes. */
export const APPLICATION_ID = 0x48_45_58_48;

/** Tables that every schema version has. They identify stores that were created before the application id existed. */
const FIRST_TABLES = [
  "audit_entry",
  "audit_writer",
  "delivery",
  "event",
  "replay_claim",
];

/** Throws StoreError for the database of another application. An empty database may become a store. Writes nothing. */
export function requireOwnDatabase(db: Database): void {
  const id = Number(db.pragma("application_id"));
  if (id === APPLICATION_ID || (id === 0 && isEmptyOrOwn(db))) {
    return;
  }
  throw new StoreError(
    "this is the SQLite database of another application: set DATABASE_URL to another file",
    { code: "STORE_FOREIGN", fatal: false },
  );
}

function isEmptyOrOwn(db: Database): boolean {
  const names = new Set(
    db
      .prepare<[], { name: string }>("SELECT name FROM sqlite_schema")
      .all()
      .map(({ name }) => name),
  );
  return names.size === 0 || FIRST_TABLES.every((table) => names.has(table));
}

/** Writes the application id into a database that `requireOwnDatabase` has accepted. */
export function stampApplicationId(db: Database): void {
  if (db.pragma("application_id") !== APPLICATION_ID) {
    db.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
  }
}
