import { existsSync, realpathSync } from "node:fs";

/**
 * Returns the path of a file that SQLite keeps beside a database. If the database is a symbolic link, the file is beside the
 * target of the link.
 */
export function companionFile(
  database: string,
  suffix: "-wal" | "-shm" | "-journal",
): string {
  return `${existsSync(database) ? realpathSync(database) : database}${suffix}`;
}
