import type { CompletedCommand, Values } from "./tree.ts";

/** Returns a completion script for fish. */
export function fishScript(commands: readonly CompletedCommand[]): string {
  const [program = ""] = commands.map(({ path }) => path);
  const paths = commands.map(({ path }) => path).filter((p) => p !== program);
  return `# Completion of ${program} for fish.
function __${program}_is_at
    set -l command ${program}
    set -l words (commandline -opc)
    set -e words[1]
    for word in $words
        switch "$command $word"
            case ${paths.map(quoted).join(" ")}
                set command "$command $word"
        end
    end
    test "$command" = "$argv"
end
complete -c ${program} -f
${commands.flatMap((command) => completions(program, command)).join("\n")}
`;
}

function completions(
  program: string,
  { path, subcommands, options, values }: CompletedCommand,
): string[] {
  const start = `complete -c ${program} -n ${quoted(`__${program}_is_at ${path}`)}`;
  return [
    ...subcommands.map(
      ({ name, description }) =>
        `${start} -a ${quoted(name)} -d ${quoted(description)}`,
    ),
    ...(values === "other" || values.length === 0
      ? []
      : [`${start} ${argumentsOf(values)}`]),
    ...options.map((option) =>
      [
        start,
        ...option.flags.map((flag) =>
          flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`,
        ),
        ...(option.values === null ? [] : ["-r", argumentsOf(option.values)]),
        `-d ${quoted(option.description)}`,
      ].join(" "),
    ),
  ];
}

function argumentsOf(values: Values): string {
  switch (values) {
    case "file":
      return "-F";
    case "other":
      return "-f";
    default:
      return `-f -a ${quoted(values.join(" "))}`;
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", String.raw`\'`)}'`;
}
