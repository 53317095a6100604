import { type Database, openDatabase } from "../../src/store/sqlite/driver.ts";

/** Opens a separate connection to a store's file, as another process would. */
export function openFile(
  file: string,
  options: { readOnly?: boolean } = {},
): Database {
  return openDatabase(file, { busyTimeoutMs: 5000, ...options });
}

/** Returns the first column of the rows, without changing the file or its log. */
export function readColumn(
  file: string,
  sql: string,
  ...parameters: string[]
): unknown[] {
  const db = openFile(file, { readOnly: true });
  try {
    return db
      .prepare<string[]>(sql)
      .all(...parameters)
      .map((row) => Object.values(row)[0]);
  } finally {
    db.close();
  }
}
