import { isUtf8 } from "node:buffer";
import { decodeJson } from "../../json/decode.ts";
import { visible } from "../../terminal/terminal-text.ts";

/** The part of a body that is shown. */
const MAX_BYTES = 8192;
const MAX_LINES = 200;
/** Deeper levels are not indented further. */
const MAX_INDENT = 16;

/** A string, a structural character, another scalar, or white space. A string may be cut off at the end. */
const JSON_TOKEN =
  /"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?$)|[{}[\],:]|[^\s{}[\],:"]+|\s+/gsu;

const FORM = /^application\/x-www-form-urlencoded\b/i;

/**
 * Returns the lines that show a body to a person: JSON indented, a form with one field a line, other text as it is. Nothing
 * in them controls a terminal. Values are not changed, because no value is parsed. Of a large body only the beginning is shown.
 */
export function bodyLines(
  body: Buffer,
  contentType: string | undefined,
): readonly string[] {
  if (body.length === 0) {
    return ["(empty body)"];
  }
  const part = body.subarray(0, MAX_BYTES);
  // A character that the limit cuts in two is not an error of the sender.
  const isText =
    isUtf8(part) || (part.length < body.length && hasOnlyCutEnd(part));
  const text = decodeJson(part);
  const lines = FORM.test(contentType ?? "")
    ? formLines(text)
    : /^\s*[{[]/.test(text)
      ? jsonLines(text)
      : text.split(/\r?\n/);
  const shownLines = lines.slice(0, MAX_LINES).map(visible);
  const isCut = part.length < body.length || lines.length > MAX_LINES;
  return [
    ...(isText ? [] : ["(the body is not valid UTF-8)"]),
    ...shownLines,
    ...(isCut ? [`… (${body.length} bytes in all)`] : []),
  ];
}

/** Whether a text is valid UTF-8 except for up to three bytes at its end. */
function hasOnlyCutEnd(bytes: Buffer): boolean {
  return [1, 2, 3].some((count) => isUtf8(bytes.subarray(0, -count)));
}

function formLines(text: string): string[] {
  return [...new URLSearchParams(text)].map(
    ([name, value]) => `${name} = ${value}`,
  );
}

/** Indents JSON text. Text that is not JSON is broken into lines in the same way. */
function jsonLines(text: string): string[] {
  const tokens = (text.match(JSON_TOKEN) ?? []).filter(
    (token) => token.trim() !== "",
  );
  const lines: string[] = [];
  let line = "";
  let depth = 0;
  const endLine = (): void => {
    lines.push(line);
    line = "  ".repeat(Math.min(Math.max(depth, 0), MAX_INDENT));
  };
  for (const [n, token] of tokens.entries()) {
    const next = tokens[n + 1];
    if (token === "{" || token === "[") {
      depth += 1;
      line += token;
      if (next !== "}" && next !== "]") {
        endLine();
      }
    } else if (token === "}" || token === "]") {
      depth -= 1;
      const previous = tokens[n - 1];
      if (previous !== "{" && previous !== "[") {
        endLine();
      }
      line += token;
    } else if (token === ",") {
      line += token;
      endLine();
    } else {
      line += token === ":" ? ": " : token;
    }
  }
  return [...lines, line];
}
