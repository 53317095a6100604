import type { Command } from "commander";
import { readEnvironment, readVariables } from "../../config/load-config.ts";
import { migrateStore } from "../../store/open.ts";
import { describeStore } from "../../store/url.ts";
import { type Io, writeLine } from "../io.ts";
import { visible } from "../../terminal/terminal-text.ts";

export function addMigrate(program: Command, io: Io): void {
  program
    .command("migrate")
    .description("bring the store's schema up to date")
    .action(async () => {
      process.umask(0o077);
      const { DATABASE_URL: url } = readVariables(readEnvironment(io.env), [
        "DATABASE_URL",
      ]);
      const { from, to } = await migrateStore(url);
      const name = visible(describeStore(url));
      writeLine(
        io.stdout,
        from === to
          ? `the schema of ${name} is up to date (version ${to})`
          : `the schema of ${name} went from version ${from} to ${to}`,
      );
    });
}
