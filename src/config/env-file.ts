/** A variable in a `.env` file. `line` is the line of its name, counted from 1. */
export interface EnvFileEntry {
  readonly name: string;
  readonly value: string;
  readonly line: number;
}

/** A line that is rejected, for example because it is ambiguous. `text` never contains a value. */
export interface EnvFileError {
  readonly line: number;
  readonly text: string;
}

const ASSIGNMENT = /^[ \t]*(?:export[ \t]+)?([A-Za-z_][\w.-]*)[ \t]*=/;
const QUOTES = ["'", '"', "`"] as const;

/** What may follow a value in quotes: nothing, or a comment. */
const AFTER_QUOTES = /^[ \t]*(?:[ \t]#.*)?$/;

/**
 * A line inside quotes that looks like another assignment, which shows that a quote was not closed. A line that ends in `=` may be
 * base64 of a PEM key, so it matches only at the end of the value: then its `=` is followed by the quote of the next value.
 */
const LOOKS_LIKE_NEXT =
  /\n[ \t]*(?:export[ \t]+)?[A-Z_][A-Z0-9_]*[ \t]*=(?:[^=\n]|$)/;

// eslint-disable-next-line no-control-regex -- control characters are what it matches
const CONTROL = /[\0-\x08\x0b-\x1f\x7f]/;

type Value = { readonly value: string } | { readonly error: string };

/**
 * Parses a `.env` file and returns its variables in order. A value that other parsers would cut, expand or read differently is
 * an error, so each value is read completely or not at all. `$NAME` is plain text, as in Node.
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
      errors.push({ line, text: "must be NAME=value or a # comment" });
      continue;
    }
    const rest = source.slice(assignment.length);
    const quote = QUOTES.find((mark) => rest.trimStart().startsWith(mark));
    let read: Value;
    if (quote === undefined) {
      read = unquotedValue(rest);
    } else {
      const end = lastLineOfQuotes(lines, index, assignment.length, quote);
      const raw = [rest, ...lines.slice(index + 1, end + 1)].join("\n");
      read = quotedValue(raw.trimStart(), quote);
      index = end;
    }
    if ("error" in read) {
      errors.push({ line, text: `${name} ${read.error}` });
    } else if (CONTROL.test(read.value)) {
      errors.push({
        line,
        text: `${name} contains a control character; remove it`,
      });
    } else {
      entries.push({ name, value: read.value, line });
    }
  }
  return { entries, errors: [...errors, ...contradictions(entries)] };
}

/** Returns the last non-empty value of each name. A name that has only empty values gets an empty one. */
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
 * Shells and Compose keep `a#b`, but Node and dotenv cut it at the `#`. All of them treat ` # ` as the start of a comment.
 * ` #b` is ambiguous, so it is rejected.
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
        "contains a # that could start a comment; put the value in quotes, or move the comment to a separate line",
    };
  }
  return expansionError(value) ?? { value };
}

function quotedValue(raw: string, quote: (typeof QUOTES)[number]): Value {
  const end = raw.indexOf(quote, 1);
  const value = raw.slice(1, end);
  if (end === -1 || LOOKS_LIKE_NEXT.test(value)) {
    return { error: `has no closing ${quote}; add it after the value` };
  }
  if (quote === '"' && /\\(?!n)/.test(value)) {
    return {
      error: "contains a backslash in double quotes; use single quotes",
    };
  }
  if (!AFTER_QUOTES.test(raw.slice(end + 1))) {
    return {
      error: `has text after the closing ${quote}; put the whole value in another kind of quotes`,
    };
  }
  if (quote !== '"') {
    return { value };
  }
  return expansionError(value) ?? { value: value.replaceAll("\\n", "\n") };
}

/** Rejects `${NAME}`, which Compose and some other programs expand. */
function expansionError(value: string): { error: string } | null {
  return /\$\{/.test(value)
    ? {
        error:
          "contains ${...}, which is not expanded; write the value itself, or put it in single quotes",
      }
    : null;
}

/** Returns the index of the line that closes the quote opened in line `from`, or `from` if none does. */
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

/** Finds names with two different values. Empty values do not count: users copy the example, and often add values at its end. */
function contradictions(entries: readonly EnvFileEntry[]): EnvFileError[] {
  const filled = entries.filter(({ value }) => value !== "");
  return filled.flatMap(({ name, value, line }, index) => {
    const before = filled
      .slice(0, index)
      .find((other) => other.name === name && other.value !== value);
    return before === undefined
      ? []
      : [
          {
            line,
            text: `${name} has a different value in line ${before.line}; keep one of them`,
          },
        ];
  });
}
