import path from "node:path";
import type { Command } from "commander";
import { readEnvironment, readVariables } from "../../config/load-config.ts";
import { backupStore } from "../../store/open.ts";
import { asciiJson } from "../../json/ascii.ts";
import { visible } from "../../terminal/terminal-text.ts";
import { type Io, writeLine } from "../io.ts";
import { onSignal } from "../on-signal.ts";

export function addBackup(program: Command, io: Io): void {
  program
    .command("backup")
    .argument("<file>", "the new file; an existing one is not overwritten")
    .description("copy the SQLite store to a file, beside a running service")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
The file has the state of one moment, and the bodies of all events. Only its
owner can read it. The signing key is not in it: keep a copy of that elsewhere.
docs/backup-and-recovery.md describes how to check and to restore a backup.
For PostgreSQL use pg_dump.`,
    )
    .action(async (file: string, { json }: { json?: true }) => {
      process.umask(0o077);
      const { DATABASE_URL: url } = readVariables(readEnvironment(io.env), [
        "DATABASE_URL",
      ]);
      const startedAt = performance.now();
      const bytes = await backupStore(url, file, stopSignal(io));
      const durationMs = Math.round(performance.now() - startedAt);
      writeLine(
        io.stdout,
        json === true
          ? asciiJson({ file: path.resolve(file), bytes, durationMs })
          : `backed up the store to ${visible(file)} (${(bytes / 1_000_000).toFixed(1)} MB, ${(durationMs / 1000).toFixed(1)} s)`,
      );
    });
}

/** Returns a signal that aborts when the process must end. The process then ends by the signal, without a wait for SQLite. */
function stopSignal(io: Io): AbortSignal {
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    const stop = (): void => {
      controller.abort();
      io.signals.off(signal, stop);
      process.kill(process.pid, signal);
    };
    onSignal(io.signals, signal, stop);
  }
  return controller.signal;
}
