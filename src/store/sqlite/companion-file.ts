import { existsSync, realpathSync } from "node:fs";

/** Returns the path of a file that SQLite keeps beside a database. For a symbolic link that is beside its target. */
export function companionFile(
  database: string,
  suffix: "-wal" | "-shm" | "-journal",
): string {
  return `${existsSync(database) ? realpathSync(database) : database}${suffix}`;
}
