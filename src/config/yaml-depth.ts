import { Lexer } from "yaml";

/** Maximum depth. No real configuration needs as much. */
const MAX_DEPTH = 64;

/** Tokens that the lexer adds, and that are not in the text: start of a document, start of a scalar, unclosed bracket. */
const MARKS = new Set(["\u0002", "\u001f", "\u0018"]);

/**
 * Returns the offset where brackets, or list items on one line, are nested too deeply, or null. Must run before the parser,
 * which is recursive: if V8 compiles a regular expression when the stack is full, it aborts the process.
 */
export function tooDeepAt(text: string): number | null {
  let offset = 0;
  let brackets = 0;
  let items = 0;
  for (const token of new Lexer().lex(text)) {
    if (MARKS.has(token)) {
      continue;
    }
    if (token === "[" || token === "{") {
      brackets += 1;
    } else if (token === "]" || token === "}") {
      brackets = Math.max(0, brackets - 1);
    } else if (token === "-" || token === "?") {
      items += 1;
    } else if (token.includes("\n")) {
      items = 0;
    }
    if (brackets + items > MAX_DEPTH) {
      return offset;
    }
    offset += token.length;
  }
  return null;
}
