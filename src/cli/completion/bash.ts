import { patterns, quoted } from "./quote.ts";
import type { CompletedCommand, Values } from "./tree.ts";

/** Returns a completion script for bash. It needs no package such as bash-completion. */
export function bashScript(commands: readonly CompletedCommand[]): string {
  const [program = ""] = commands.map(({ path }) => path);
  const paths = commands.map(({ path }) => path).filter((p) => p !== program);
  return `# Completion of ${program} for bash.
_${program}() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]}
  local command=${program} options='' values='' i
  COMPREPLY=()
  # Bash splits --option=value into three words.
  if [[ $current == = ]]; then
    current=''
  elif [[ $previous == = ]]; then
    previous=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$command \${COMP_WORDS[i]}" in
      ${patterns(paths)})
        command="$command \${COMP_WORDS[i]}" ;;
    esac
  done
  case "$command $previous" in
${commands.flatMap(optionValues).join("\n")}
  esac
  case $command in
${commands.map(words).join("\n")}
  esac
  if [[ $current == -* || -z $values ]]; then
    values=$options
  fi
  COMPREPLY=($(compgen -W "$values" -- "$current"))
}
complete -F _${program} ${program}
`;
}

/** Bash 3.2, the one of macOS, has no compopt. */
const FILES =
  'compopt -o default 2> /dev/null || COMPREPLY=($(compgen -f -- "$current"))';

function optionValues({ path, options }: CompletedCommand): string[] {
  return options.flatMap(({ flags, values }) =>
    values === null
      ? []
      : [
          `    ${patterns(flags.map((flag) => `${path} ${flag}`))})`,
          `      ${reply(values)}`,
          "      return ;;",
        ],
  );
}

function reply(values: Values): string {
  switch (values) {
    case "file":
      return FILES;
    case "other":
      return ":";
    default:
      return `COMPREPLY=($(compgen -W ${quoted(values.join(" "))} -- "$current"))`;
  }
}

function words({
  path,
  subcommands,
  options,
  values,
}: CompletedCommand): string {
  const names = subcommands.map(({ name }) => name);
  const known = typeof values === "string" ? [] : values;
  const flags = options.flatMap((option) => option.flags);
  return [
    `    ${quoted(path)})`,
    `      values=${quoted([...names, ...known].join(" "))}`,
    `      options=${quoted(flags.join(" "))}`,
    ...(values === "file"
      ? [`      if [[ $current != -* ]]; then ${FILES}; return; fi`]
      : []),
    "      ;;",
  ].join("\n");
}
