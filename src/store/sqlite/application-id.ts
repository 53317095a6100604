import { StoreError } from "../../errors.ts";
import type { Database } from "./driver.ts";

/** What SQLite has in the header of a file to say whose it is: "HEXH". Never changes. */
export const APPLICATION_ID = 0x48_45_58_48;

/** Every schema version has these. Stores of before there was an application id are known by them. */
const FIRST_TABLES = [
  "audit_entry",
  "audit_writer",
  "delivery",
  "event",
  "replay_claim",
];

/** Refuses the database of another application; an empty one may become a store. Writes nothing. */
export function requireOwnDatabase(db: Database): void {
  const id = Number(db.pragma("application_id"));
  if (id === APPLICATION_ID || (id === 0 && isEmptyOrOwn(db))) {
    return;
  }
  throw new StoreError(
    "that is the SQLite database of another application: name another file in DATABASE_URL",
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

/** Marks a database that `requireOwnDatabase` lets pass. */
export function stampApplicationId(db: Database): void {
  if (db.pragma("application_id") !== APPLICATION_ID) {
    db.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
  }
}
