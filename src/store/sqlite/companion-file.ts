import { existsSync, realpathSync } from "node:fs";

/** The path of a file that SQLite keeps beside a database; beside the real one where the path is a link. */
export function companionFile(
  database: string,
  suffix: "-wal" | "-shm" | "-journal",
): string {
  return `${existsSync(database) ? realpathSync(database) : database}${suffix}`;
}
