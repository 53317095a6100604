import { CommanderError } from "commander";
import {
  asError,
  ConfigError,
  EXIT,
  type ExitCode,
  StoreError,
  UsageError,
} from "../../errors.ts";
import { type Io, writeLine } from "../io.ts";
import { note } from "./print.ts";

/** Says on stderr what went wrong, one line for each fault, and gives the exit code. */
export function report(io: Io, thrown: unknown): ExitCode {
  // A reader that is gone does not change the exit code.
  io.stderr.on("error", () => undefined);
  if (thrown instanceof CommanderError) {
    // Commander has printed its own line; help and version are no faults.
    return thrown.exitCode === 0 ? EXIT.good : EXIT.usage;
  }
  if (thrown instanceof ConfigError) {
    for (const error of thrown.errors) {
      note(io, `hexhook: ${error}`);
    }
    return EXIT.config;
  }
  const error = asError(thrown);
  note(io, `hexhook: ${error.message}`);
  if (error instanceof UsageError) {
    return EXIT.usage;
  }
  if (!(error instanceof StoreError)) {
    for (const line of String(error.stack).split("\n")) {
      note(io, line);
    }
  }
  return EXIT.internal;
}

/**
 * A reader of our output that has seen enough (`| head`) is no fault; output that cannot be written is. A check that has
 * failed sets its exit code before it prints, so that the code outlives the reader.
 */
export function endWhenReaderLeaves({ stdout, stderr }: Io): void {
  stderr.on("error", () => undefined);
  stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") {
      process.exit();
    }
    writeLine(
      stderr,
      `hexhook: cannot write its output (${error.code ?? error.message})`,
    );
    process.exit(EXIT.internal);
  });
}

/** For what must come to its end, and to its exit code, whether or not anybody reads what it says. */
export function outliveReader({ stdout, stderr }: Io): void {
  for (const stream of [stdout, stderr]) {
    stream.removeAllListeners("error");
    stream.on("error", () => undefined);
  }
}
