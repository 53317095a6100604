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
 * Reports on stderr what a command threw, and returns the exit code. Prints one line for each configuration error. Wrong usage
 * also names the help of the command.
 */
export function report(io: Io, thrown: unknown, command: Command): ExitCode {
  // If stderr cannot be written, the exit code stays the same.
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
 * Ends the process when the output cannot be written. A reader that has closed the pipe (`| head`) is not an error, and keeps
 * the exit code: a failed check sets its code before it prints. Any other reason is an internal error.
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
