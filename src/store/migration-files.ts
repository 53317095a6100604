import { readdirSync, readFileSync } from "node:fs";

/** One step of a schema. */
export interface Migration {
  readonly version: number;
  /** The statements. */
  readonly read: () => string;
}

/** Lists the migrations in a directory (`0001-receive.sql`), lowest version first. */
export function listMigrations(folder: URL): readonly Migration[] {
  return readdirSync(folder)
    .filter((file) => /^\d{4}-[a-z0-9-]+\.sql$/.test(file))
    .sort()
    .map((file) => ({
      version: Number(file.slice(0, 4)),
      read: () => readFileSync(new URL(file, folder), "utf8"),
    }));
}
