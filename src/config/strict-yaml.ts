import { type ErrorCode, LineCounter, parseDocument } from "yaml";
import { tooDeepAt } from "./yaml-depth.ts";
import { MAX_ALIASES, treeErrors, type YamlError } from "./yaml-tree.ts";

/** One mistake can cause many later errors, which do not help the reader. */
const MAX_ERRORS = 20;

const TOO_DEEP = "brackets or lists are nested too deeply";

/** They replace the messages of the parser, which quote the text and so could contain a secret. */
const MESSAGES: Partial<Record<ErrorCode, string>> = {
  BAD_ALIAS: "the name of an alias or anchor is not valid",
  BAD_DIRECTIVE: "this % directive is not supported; remove it",
  BAD_DQ_ESCAPE:
    "this escape sequence is not valid in double quotes; use single quotes",
  BAD_INDENT: "the indentation is wrong, or a bracket is not closed",
  BLOCK_AS_IMPLICIT_KEY:
    "this line has a second colon; put the value in quotes",
  MISSING_CHAR: "a quote, bracket, comma or space is missing",
  MULTILINE_IMPLICIT_KEY: "a key and its colon must be on one line",
  MULTIPLE_DOCS: "a second document starts here; keep only one",
  NON_STRING_KEY: "a key must be a string",
  RESOURCE_EXHAUSTION: TOO_DEEP,
  TAB_AS_INDENT: "this line is indented with a tab; use spaces",
  TAG_RESOLVE_FAILED: "tags are not supported; remove this one",
};

/**
 * Parses one YAML 1.2 document (core schema). Maps become Maps with string keys, and an empty document becomes null. Custom
 * tags, duplicate keys, a second document and merge keys are errors. So are too many values, levels or aliases. Errors contain
 * line and column (in UTF-16 units), but nothing of the text.
 */
export function parseStrictYaml(
  text: string,
): { value: unknown } | { errors: readonly string[] } {
  const lines = new LineCounter();
  const deep = tooDeepAt(text);
  if (deep !== null) {
    const line = text.slice(0, deep).split("\n").length;
    const column = deep - text.lastIndexOf("\n", deep);
    return {
      errors: [`line ${line}, column ${column}: ${TOO_DEEP}`],
    };
  }
  const document = parseDocument(text, {
    version: "1.2",
    schema: "core",
    resolveKnownTags: false,
    merge: false,
    stringKeys: true,
    // `treeErrors` finds duplicates. The parser compares each key with all keys before it: two minutes for a megabyte.
    uniqueKeys: false,
    prettyErrors: false,
    lineCounter: lines,
  });
  const errors: YamlError[] = [
    // The parser reports an unknown tag only as a warning.
    ...[...document.errors, ...document.warnings].map(({ code, pos }) => ({
      offset: pos[0],
      text: MESSAGES[code] ?? `this is not valid YAML (${code})`,
    })),
    ...(document.directives.yaml.version === "1.2"
      ? []
      : [
          {
            offset: text.indexOf("%YAML"),
            text: "only YAML 1.2 is supported; remove this line",
          },
        ]),
  ];
  if (errors.length === 0) {
    errors.push(...treeErrors(document));
  }
  if (errors.length > 0) {
    return { errors: inLines(errors, lines) };
  }
  try {
    const value: unknown = document.toJS({
      mapAsMap: true,
      maxAliasCount: MAX_ALIASES,
    });
    return { value };
  } catch {
    // A few nested aliases can expand to a very large number of values.
    return {
      errors: [
        "aliases expand to too many values; write the values themselves",
      ],
    };
  }
}

function inLines(errors: readonly YamlError[], lines: LineCounter): string[] {
  const messages = [...errors]
    .sort((a, b) => a.offset - b.offset)
    .map(({ offset, text }) => {
      const { line, col } = lines.linePos(offset);
      return `line ${line}, column ${col}: ${text}`;
    });
  const distinct = [...new Set(messages)];
  return distinct.length > MAX_ERRORS
    ? [
        ...distinct.slice(0, MAX_ERRORS),
        `and ${distinct.length - MAX_ERRORS} more`,
      ]
    : distinct;
}
