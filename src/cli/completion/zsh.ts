import { patterns, quoted } from "./quote.ts";
import type { CompletedCommand, Values } from "./tree.ts";

/** Returns a completion script for zsh. It can be a file `_hexhook` in a folder of `fpath`, or be sourced. */
export function zshScript(commands: readonly CompletedCommand[]): string {
  const [program = ""] = commands.map(({ path }) => path);
  const paths = commands.map(({ path }) => path).filter((p) => p !== program);
  return `#compdef ${program}
# Completion of ${program} for zsh.
_${program}() {
  local current=$words[CURRENT] previous=$words[CURRENT-1] command=${program} word
  local -a candidates options
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$command $word" in
      (${patterns(paths)}) command="$command $word" ;;
    esac
  done
  if [[ $current == --*=* ]]; then
    previous=\${current%%=*}
    compset -P '*='
  fi
  case "$command $previous" in
${commands.flatMap(optionValues).join("\n")}
  esac
  case $command in
${commands.map(words).join("\n")}
  esac
  if [[ $current == -* || $#candidates == 0 ]]; then
    _describe -o option options
  else
    _describe command candidates
  fi
}
if [[ $funcstack[1] == _${program} ]]; then
  _${program} "$@"
else
  compdef _${program} ${program}
fi
`;
}

function optionValues({ path, options }: CompletedCommand): string[] {
  return options.flatMap(({ flags, description, values }) =>
    values === null
      ? []
      : [
          `    (${patterns(flags.map((flag) => `${path} ${flag}`))})`,
          `      ${reply(values, description)}`,
          "      return ;;",
        ],
  );
}

function reply(values: Values, description: string): string {
  switch (values) {
    case "file":
      return "_files";
    case "other":
      return `_message ${quoted(description.replaceAll("%", "%%"))}`;
    default:
      return `compadd -- ${values.map(quoted).join(" ")}`;
  }
}

function words({
  path,
  subcommands,
  options,
  values,
}: CompletedCommand): string {
  const known = typeof values === "string" ? [] : values;
  const candidates = [
    ...subcommands.map(({ name, description }) => described(name, description)),
    ...known.map((value) => described(value, "")),
  ];
  const flags = options.flatMap((option) =>
    option.flags.map((flag) => described(flag, option.description)),
  );
  return [
    `    (${quoted(path)})`,
    `      candidates=(${candidates.join(" ")})`,
    `      options=(${flags.join(" ")})`,
    ...(values === "file"
      ? ["      if [[ $current != -* ]]; then _files; return; fi"]
      : []),
    "      ;;",
  ].join("\n");
}

/** Returns a candidate of `_describe`: a colon separates it from its description. */
function described(name: string, description: string): string {
  const escaped = name.replaceAll(":", String.raw`\:`);
  return quoted(description === "" ? escaped : `${escaped}:${description}`);
}
