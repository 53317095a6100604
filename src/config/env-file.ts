/** A variable that a `.env` file sets. `line` counts from 1, and is where its name stands. */
export interface EnvFileEntry {
  readonly name: string;
  readonly value: string;
  readonly line: number;
}

/** A place of the file that is not read, because it could mean two things. `text` never repeats a value. */
export interface EnvFileError {
  readonly line: number;
  readonly text: string;
}

const ASSIGNMENT = /^[ \t]*(?:export[ \t]+)?([A-Za-z_][\w.-]*)[ \t]*=/;
const QUOTES = ["'", '"', "`"] as const;

/** After a value in quotes: nothing, or a comment. */
const AFTER_QUOTES = /^[ \t]*(?:[ \t]#.*)?$/;

/** A line within quotes that is meant to set another variable: a quote before it was not closed. The last line of a PEM key may end in `=`. */
const LOOKS_LIKE_NEXT =
  /\n[ \t]*(?:export[ \t]+)?[A-Z_][A-Z0-9_]*[ \t]*=(?:[^=\n]|$)/;

// eslint-disable-next-line no-control-regex -- these are what it looks for
const CONTROL = /[\0-\x08\x0b-\x1f\x7f]/;

type Value = { readonly value: string } | { readonly error: string };

/**
 * The variables of a `.env` file, in their order. Every value is read whole or not at all: what other readers cut, expand or
 * understand differently is an error. `$NAME` is text, as for Node.
 */
export function parseEnvFile(text: string): {
  entries: EnvFileEntry[];
  errors: EnvFileError[];
} {
  const lines = text.replace(/\r\n?/g, "\n").split("\n");
  const entries: EnvFileEntry[] = [];
  const errors: EnvFileError[] = [];
  for (let index = 0; index < lines.length; index += 1) {
    const source = lines[index] ?? "";
    const line = index + 1;
    if (/^\s*(?:#|$)/.test(source)) {
      continue;
    }
    const [assignment, name] = ASSIGNMENT.exec(source) ?? [];
    if (assignment === undefined || name === undefined) {
      errors.push({ line, text: "must be NAME=value, or a comment after #" });
      continue;
    }
    const rest = source.slice(assignment.length);
    const quote = QUOTES.find((mark) => rest.trimStart().startsWith(mark));
    let read: Value;
    if (quote === undefined) {
      read = unquotedValue(rest);
    } else {
      const end = lastLineOfQuotes(lines, index, assignment.length, quote);
      const given = [rest, ...lines.slice(index + 1, end + 1)].join("\n");
      read = quotedValue(given.trimStart(), quote);
      index = end;
    }
    if ("error" in read) {
      errors.push({ line, text: `${name} ${read.error}` });
    } else if (CONTROL.test(read.value)) {
      errors.push({ line, text: `${name} has a control character in it` });
    } else {
      entries.push({ name, value: read.value, line });
    }
  }
  return { entries, errors: [...errors, ...contradictions(entries)] };
}

/** What an environment gets of the entries: the last value of each name that is not empty. */
export function envFileValues(
  entries: readonly EnvFileEntry[],
): Readonly<Record<string, string>> {
  const values = new Map<string, string>();
  for (const { name, value } of entries) {
    if (value !== "" || !values.has(name)) {
      values.set(name, value);
    }
  }
  return Object.fromEntries(values);
}

/**
 * Shells and Compose take `a#b` whole, where Node and dotenv cut it. All take ` # ` for the begin of a comment; ` #b` may be
 * either.
 */
function unquotedValue(rest: string): Value {
  const comment = rest.search(/[ \t]#+(?:[ \t]|$)/);
  const value = (comment === -1 ? rest : rest.slice(0, comment)).replace(
    /^[ \t]+|[ \t]+$/g,
    "",
  );
  if (/(?:^|[ \t])#/.test(value)) {
    return {
      error:
        "has a # that may begin a comment: put the value into quotes, or the comment on a line of its own",
    };
  }
  return expandable(value) ?? { value };
}

function quotedValue(given: string, quote: (typeof QUOTES)[number]): Value {
  const end = given.indexOf(quote, 1);
  const value = given.slice(1, end);
  if (end === -1 || LOOKS_LIKE_NEXT.test(value)) {
    return { error: `has no closing ${quote}` };
  }
  if (quote === '"' && /\\(?!n)/.test(value)) {
    return { error: "has a backslash in double quotes: use single quotes" };
  }
  if (!AFTER_QUOTES.test(given.slice(end + 1))) {
    return {
      error: `has text after the closing ${quote}: put the whole value into other quotes`,
    };
  }
  if (quote !== '"') {
    return { value };
  }
  return expandable(value) ?? { value: value.replaceAll("\\n", "\n") };
}

/** Compose and some others replace it; this file has no expansion. */
function expandable(value: string): { error: string } | null {
  return /\$\{/.test(value)
    ? {
        error:
          "has a ${...}, which is not replaced here: write the value out, or put it into single quotes",
      }
    : null;
}

/** The line that closes quotes which open in line `from`; `from` itself when none does. */
function lastLineOfQuotes(
  lines: readonly string[],
  from: number,
  column: number,
  quote: string,
): number {
  const first = (lines[from] ?? "").slice(column).trimStart().slice(1);
  if (first.includes(quote)) {
    return from;
  }
  const end = lines.findIndex(
    (line, index) => index > from && line.includes(quote),
  );
  return end === -1 ? from : end;
}

/** A name with two different values. An empty one says nothing: a copied example is often completed at its end. */
function contradictions(entries: readonly EnvFileEntry[]): EnvFileError[] {
  const given = entries.filter(({ value }) => value !== "");
  return given.flatMap(({ name, value, line }, index) => {
    const before = given
      .slice(0, index)
      .find((other) => other.name === name && other.value !== value);
    return before === undefined
      ? []
      : [
          {
            line,
            text: `${name} has another value in line ${before.line}: keep one`,
          },
        ];
  });
}
