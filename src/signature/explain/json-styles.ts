/** A way in which a serialiser writes JSON. */
export interface JsonStyle {
  /** Completes the sentence "the sender signed …". */
  readonly name: string;
  readonly colon: string;
  readonly comma: string;
  /** The indentation of a level; null = everything is on one line. */
  readonly indent: string | null;
}

const JSON_STYLES: readonly JsonStyle[] = [
  { name: "compact JSON", colon: ":", comma: ",", indent: null },
  {
    name: "JSON with spaces after : and ,",
    colon: ": ",
    comma: ", ",
    indent: null,
  },
  { name: "JSON indented by 2 spaces", colon: ": ", comma: ",", indent: "  " },
  {
    name: "JSON indented by 4 spaces",
    colon: ": ",
    comma: ",",
    indent: "    ",
  },
  { name: "JSON indented by tabs", colon: ": ", comma: ",", indent: "\t" },
];

/** A way in which a serialiser escapes characters of strings. */
interface Escapes {
  readonly name: string;
  readonly rewrite: (string: string) => string;
}

const NOT_ASCII = /[\u0080-\uffff]/g;
const ESCAPED_NOT_ASCII = /(?<!\\)((?:\\\\)*)\\u((?!00[0-7])[0-9a-fA-F]{4})/g;
const HTML = /[<>&\u2028\u2029]/g;

const escaped = (char: string): string =>
  `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;

const ESCAPES: readonly Escapes[] = [
  { name: "", rewrite: (string) => string },
  {
    name: "with escaped non-ASCII",
    rewrite: (string) => string.replace(NOT_ASCII, escaped),
  },
  {
    name: "with literal non-ASCII",
    rewrite: (string) =>
      string.replace(
        ESCAPED_NOT_ASCII,
        (_all, before: string, digits: string) =>
          before + String.fromCharCode(parseInt(digits, 16)),
      ),
  },
  {
    name: "with escaped slashes",
    rewrite: (string) => string.replace(/(?<!\\)\//g, "\\/"),
  },
  {
    name: "with escaped slashes and non-ASCII",
    rewrite: (string) =>
      string.replace(/(?<!\\)\//g, "\\/").replace(NOT_ASCII, escaped),
  },
  {
    name: "with literal slashes",
    rewrite: (string) => string.replaceAll("\\/", "/"),
  },
  {
    name: "with escaped <, > and &",
    rewrite: (string) => string.replace(HTML, escaped),
  },
  {
    name: "with literal <, > and &",
    rewrite: (string) =>
      string.replace(/\\u(?:003[ceCE]|0026|202[89])/g, (escape) =>
        String.fromCharCode(parseInt(escape.slice(2), 16)),
      ),
  },
];

/** Longer texts are not rewritten: the tokens of a text take many times its length in memory. */
const MAX_LENGTH = 1024 * 1024;

/** Texts with more tokens are only laid out again: each further way takes as long again. */
const MAX_TOKENS = 20_000;

/** Deeper values are not indented: the text would grow with the square of the depth. */
const MAX_DEPTH = 100;

/** A string, a number or name, or a structural character. Spaces are between them. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[[\]{}:,]|[^\s"[\]{}:,]+/gs;

/**
 * Yields the other texts that serialisers write for a JSON value, each with the end of the sentence "the sender signed …".
 * Numbers and the order of members stay as they are. Yields nothing for a text that is not JSON.
 */
export function* serialisations(
  text: string,
): Generator<{ text: string; name: string }> {
  const value = parsed(text);
  if (value === undefined) {
    return;
  }
  const tokens = text.match(TOKEN) ?? [];
  const styles =
    depthOf(tokens) > MAX_DEPTH
      ? JSON_STYLES.filter(({ indent }) => indent === null)
      : JSON_STYLES;
  const isLong = tokens.length > MAX_TOKENS;
  const seen = new Set([text]);
  for (const escapes of isLong ? ESCAPES.slice(0, 1) : ESCAPES) {
    const rewritten = tokens.map((token) =>
      token.startsWith('"') ? escapes.rewrite(token) : token,
    );
    for (const style of styles) {
      const name = [style.name, escapes.name].filter(Boolean).join(" ");
      const line = laidOut(rewritten, style);
      for (const candidate of [line, `${line}\n`]) {
        if (!seen.has(candidate)) {
          seen.add(candidate);
          yield { text: candidate, name };
        }
      }
    }
  }
  if (isLong) {
    return;
  }
  for (const [name, written] of [
    ["JSON as JSON.stringify writes it", stringified(value)],
    ["JSON with sorted keys", stringified(sorted(value))],
  ] as const) {
    if (written !== null && !seen.has(written)) {
      seen.add(written);
      yield { text: written, name };
    }
  }
}

/** Undefined if the text is not JSON, or is too long. */
function parsed(text: string): unknown {
  try {
    return text.length > MAX_LENGTH ? undefined : (JSON.parse(text) as unknown);
  } catch {
    return undefined;
  }
}

/** Null if the value is too deep for the stack. */
function stringified(value: unknown): string | null {
  try {
    return JSON.stringify(value);
  } catch {
    return null;
  }
}

function depthOf(tokens: readonly string[]): number {
  let depth = 0;
  let deepest = 0;
  for (const token of tokens) {
    depth += token === "{" || token === "[" ? 1 : 0;
    depth -= token === "}" || token === "]" ? 1 : 0;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}

function laidOut(
  tokens: readonly string[],
  { colon, comma, indent }: JsonStyle,
): string {
  let depth = 0;
  let text = "";
  const newline = (): string =>
    indent === null ? "" : `\n${indent.repeat(depth)}`;
  for (const [n, token] of tokens.entries()) {
    if (token === "{" || token === "[") {
      depth += 1;
      const isEmpty = tokens[n + 1] === "}" || tokens[n + 1] === "]";
      text += isEmpty ? token : token + newline();
    } else if (token === "}" || token === "]") {
      depth -= 1;
      const isEmpty = tokens[n - 1] === "{" || tokens[n - 1] === "[";
      text += isEmpty ? token : newline() + token;
    } else {
      text += token === ":" ? colon : token === "," ? comma + newline() : token;
    }
  }
  return text;
}

/** Sorts the members of all objects. Deep values are left as they are, so that no input exhausts the stack. */
function sorted(value: unknown, depth = 0): unknown {
  if (typeof value !== "object" || value === null || depth > MAX_DEPTH) {
    return value;
  }
  if (Array.isArray(value)) {
    return value.map((element) => sorted(element, depth + 1));
  }
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => [name, sorted(member, depth + 1)]),
  );
}
