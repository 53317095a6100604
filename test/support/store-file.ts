import { type Database, openDatabase } from "../../src/store/sqlite/driver.ts";

/** A connection of its own to a store's file, such as another process would have. */
export function openFile(
  file: string,
  options: { readOnly?: boolean } = {},
): Database {
  return openDatabase(file, { busyTimeoutMs: 5000, ...options });
}

/** The first column of the rows, read without touching the file or its log. */
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
