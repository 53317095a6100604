import { type ErrorCode, LineCounter, parseDocument } from "yaml";
import { tooDeepAt } from "./yaml-depth.ts";
import { MAX_ALIASES, treeErrors, type YamlError } from "./yaml-tree.ts";

/** One slip makes many errors after it, which help nobody. */
const MAX_ERRORS = 20;

const TOO_DEEP = "is nested too deeply";

/** In words of our own: those of the parser quote the text, which may hold what must not be shown. */
const MEANINGS: Partial<Record<ErrorCode, string>> = {
  BAD_ALIAS: "an alias or anchor has no good name",
  BAD_DIRECTIVE: "this %-line is not known; take it away",
  BAD_DQ_ESCAPE:
    "a backslash means something in double quotes; use single ones",
  BAD_INDENT: "the indentation does not fit, or a bracket is not closed",
  BLOCK_AS_IMPLICIT_KEY: "a second colon is here; put quotes around the value",
  MISSING_CHAR: "a quote, bracket, comma or blank is missing",
  MULTILINE_IMPLICIT_KEY: "a key and its colon must stand on one line",
  MULTIPLE_DOCS: "a second document begins here; keep one",
  NON_STRING_KEY: "a key must be plain text",
  RESOURCE_EXHAUSTION: TOO_DEEP,
  TAB_AS_INDENT: "a tab is used to indent; use blanks",
  TAG_RESOLVE_FAILED: "tags are not known here; take this one away",
};

/**
 * The value of one YAML 1.2 document (core schema), maps as Maps with keys of text; null for an empty one. What strict
 * means: no custom tags, no duplicate keys, no second document, no merge keys, few aliases, and no more than a
 * configuration needs. Errors say line and column
 * (in UTF-16 units), and nothing of the text.
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
    // Its own check compares each key with all before it: two minutes for a megabyte.
    uniqueKeys: false,
    prettyErrors: false,
    lineCounter: lines,
  });
  const errors: YamlError[] = [
    // An unknown tag is but a warning to the parser.
    ...[...document.errors, ...document.warnings].map(({ code, pos }) => ({
      offset: pos[0],
      text: MEANINGS[code] ?? `this is not YAML (${code})`,
    })),
    ...(document.directives.yaml.version === "1.2"
      ? []
      : [
          {
            offset: text.indexOf("%YAML"),
            text: "only YAML 1.2 is read; take this line away",
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
    // Aliases of aliases: few are written, and they stand for very many.
    return { errors: ["aliases multiply; write the values out"] };
  }
}

function inLines(errors: readonly YamlError[], lines: LineCounter): string[] {
  const told = [...errors]
    .sort((a, b) => a.offset - b.offset)
    .map(({ offset, text }) => {
      const { line, col } = lines.linePos(offset);
      return `line ${line}, column ${col}: ${text}`;
    });
  const each = [...new Set(told)];
  return each.length > MAX_ERRORS
    ? [...each.slice(0, MAX_ERRORS), `and ${each.length - MAX_ERRORS} more`]
    : each;
}
