import type { Argument, Command, Option } from "commander";

/** What a shell completes after one command. */
export interface CompletedCommand {
  /** The names from the program to the command, such as `hexhook events list`. */
  readonly path: string;
  readonly subcommands: readonly Candidate[];
  readonly options: readonly CompletedOption[];
  /** The values of its arguments. */
  readonly values: Values;
}

export interface Candidate {
  readonly name: string;
  readonly description: string;
}

export interface CompletedOption {
  /** With their dashes. */
  readonly flags: readonly string[];
  readonly description: string;
  /** The values that may follow it; null = it takes none. */
  readonly values: Values | null;
}

/** `file`: any path. `other`: values that no shell can know. */
export type Values = readonly string[] | "file" | "other";

/** Returns the program and all its commands, for the scripts of shells. */
export function completedCommands(
  command: Command,
  parent?: CompletedCommand,
): CompletedCommand[] {
  const help = command.createHelp();
  const completed = {
    path: [...(parent === undefined ? [] : [parent.path]), command.name()].join(
      " ",
    ),
    subcommands: help.visibleCommands(command).map((one) => ({
      name: one.name(),
      description: one.description(),
    })),
    options: help.visibleOptions(command).map((option) => ({
      flags: [option.short, option.long].filter((flag) => flag !== undefined),
      description: option.description,
      values: option.required || option.optional ? valuesOf(option) : null,
    })),
    values: argumentValues(command, parent),
  };
  return [
    completed,
    ...help
      .visibleCommands(command)
      .flatMap((one) => completedCommands(one, completed)),
  ];
}

function argumentValues(command: Command, parent?: CompletedCommand): Values {
  // Commander creates the command `help`, whose argument is the name of another command.
  if (parent !== undefined && command.name() === "help") {
    return parent.subcommands.map(({ name }) => name);
  }
  const [argument] = command.registeredArguments;
  return argument === undefined ? [] : valuesOf(argument);
}

function valuesOf(of: Argument | Option): Values {
  const placeholder = "flags" in of ? of.flags : of.name();
  return of.argChoices ?? (/\bfiles?\b/.test(placeholder) ? "file" : "other");
}
