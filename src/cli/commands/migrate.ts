import type { Command } from "commander";
import { readEnvironment, readVariables } from "../../config/load-config.ts";
import { migrateSqlite } from "../../store/sqlite/store.ts";

export function addMigrate(program: Command): void {
  program
    .command("migrate")
    .description("bring the store's schema up to date")
    .action(() => {
      process.umask(0o077);
      const { DATABASE_URL: file } = readVariables(readEnvironment(), [
        "DATABASE_URL",
      ]);
      const { from, to } = migrateSqlite(file);
      console.log(
        from === to
          ? `the schema of ${file} is up to date (version ${to})`
          : `the schema of ${file} went from version ${from} to ${to}`,
      );
    });
}
