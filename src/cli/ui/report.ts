import { type Command, CommanderError } from "commander";
import {
  asError,
  ConfigError,
  EXIT,
  type ExitCode,
  StoreError,
  UsageError,
} from "../../errors.ts";
import { visible } from "../../terminal/terminal-text.ts";
import { type Io, writeLine } from "../io.ts";
import { note } from "./print.ts";

/**
 * Reports what a command threw on stderr, and returns the exit code. A wrong configuration has one line for each error; a
 * wrong usage names the help of the command.
 */
export function report(io: Io, thrown: unknown, command: Command): ExitCode {
  // A reader that is gone does not change the exit code.
  io.stderr.on("error", () => undefined);
  if (thrown instanceof CommanderError) {
    return reportUsage(io, thrown, command);
  }
  if (thrown instanceof ConfigError) {
    for (const error of thrown.errors) {
      note(io, error);
    }
    return EXIT.config;
  }
  const error = asError(thrown);
  note(io, error.message);
  if (error instanceof UsageError) {
    writeLine(io.stderr, helpOf(command));
    return EXIT.usage;
  }
  if (!(error instanceof StoreError)) {
    for (const line of String(error.stack).split("\n")) {
      writeLine(io.stderr, visible(line));
    }
  }
  return EXIT.internal;
}

/** Commander throws for unknown commands and options, wrong and missing arguments, and after it has printed help or the version. */
function reportUsage(
  io: Io,
  { code, exitCode, message }: CommanderError,
  command: Command,
): ExitCode {
  if (exitCode === 0) {
    return EXIT.good;
  }
  // Without a subcommand, the help has just been printed.
  if (code !== "commander.help") {
    const [, error = "", suggestion = ""] =
      /^(?:error: )?(.*?)(\n\(Did you mean [^\n]*\))?$/s.exec(message) ?? [];
    note(io, error + suggestion.replace("\n", " "));
    writeLine(io.stderr, helpOf(command));
  }
  return EXIT.usage;
}

function helpOf(command: Command): string {
  const names = [];
  for (let one: Command | null = command; one !== null; one = one.parent) {
    names.unshift(one.name());
  }
  return `See '${names.join(" ")} --help'.`;
}

/**
 * Ends the process when the output cannot be written. A reader that has read enough (`| head`) is no error; any other reason
 * is. A failed check sets its exit code before it prints, so that the code is right in both cases.
 */
export function endWhenReaderLeaves({ stdout, stderr }: Io): void {
  stderr.on("error", () => undefined);
  stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") {
      process.exit();
    }
    note(
      { stderr },
      `cannot write the output (${error.code ?? error.message})`,
    );
    process.exit(EXIT.internal);
  });
}

/** Ignores output errors, for a command that must finish and set its exit code even if no process reads its output. */
export function ignoreOutputErrors({ stdout, stderr }: Io): void {
  for (const stream of [stdout, stderr]) {
    stream.removeAllListeners("error");
    stream.on("error", () => undefined);
  }
}
