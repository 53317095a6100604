/**
 * A scanner for the grammar of JSON (RFC 8259). Each function reads one element that starts at a position of the text, and
 * returns the position after it, or INVALID. Together the functions accept exactly the texts that `JSON.parse` accepts, but
 * build no values.
 *
 * Bytes outside ASCII are accepted only in strings, without a check for valid UTF-8. Decoding replaces invalid bytes and
 * never consumes an ASCII byte, so it cannot change where a string ends.
 */

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const UPPER_E = 0x45;
export const OPEN_ARRAY = 0x5b;
export const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const LOWER_E = 0x65;
export const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

const LITERALS = ["true", "false", "null"].map((word) => Buffer.from(word));
/** The characters that may follow a backslash, except `u`. */
const ESCAPES: readonly number[] = [...Buffer.from('"\\/bfnrt')];
const UNICODE = 0x75;
const HEX = /^[\da-f]{4}$/i;

/** Number of bytes of a string that are scanned one at a time, before four at a time. */
const SHORT_STRING = 64;

/** Returned instead of a position after a syntax error. */
export const INVALID = -1;

/** The byte after the end of the text. A read past the end of a Buffer would make all later reads slow. */
const END = -1;

export function byteAt(text: Buffer, at: number): number {
  return at < text.length ? (text[at] as number) : END;
}

export function skipSpace(text: Buffer, from: number): number {
  let at = from;
  for (;;) {
    const byte = byteAt(text, at);
    if (byte !== SPACE && byte !== LF && byte !== CR && byte !== TAB) {
      return at;
    }
    at += 1;
  }
}

/** Skips an object. Calls `visit` with the start and end of each key, and the position of its value. */
export function skipObject(
  text: Buffer,
  from: number,
  visit: (from: number, to: number, value: number) => void,
): number {
  let at = skipSpace(text, from + 1);
  if (byteAt(text, at) === CLOSE_OBJECT) {
    return at + 1;
  }
  for (;;) {
    const key = at;
    const keyEnd = skipString(text, key);
    const value = keyEnd === INVALID ? INVALID : skipColon(text, keyEnd);
    if (value === INVALID) {
      return INVALID;
    }
    visit(key, keyEnd, value);
    const end = skipValue(text, value);
    if (end === INVALID) {
      return INVALID;
    }
    at = skipSpace(text, end);
    if (byteAt(text, at) === CLOSE_OBJECT) {
      return at + 1;
    }
    if (byteAt(text, at) !== COMMA) {
      return INVALID;
    }
    at = skipSpace(text, at + 1);
  }
}

/** Skips an array. Calls `visit` with the position of each element. */
export function skipArray(
  text: Buffer,
  from: number,
  visit: (element: number) => void,
): number {
  let at = skipSpace(text, from + 1);
  if (byteAt(text, at) === CLOSE_ARRAY) {
    return at + 1;
  }
  for (;;) {
    visit(at);
    const end = skipValue(text, at);
    if (end === INVALID) {
      return INVALID;
    }
    at = skipSpace(text, end);
    if (byteAt(text, at) === CLOSE_ARRAY) {
      return at + 1;
    }
    if (byteAt(text, at) !== COMMA) {
      return INVALID;
    }
    at = skipSpace(text, at + 1);
  }
}

/** Skips the colon after a key, and the space around it. */
function skipColon(text: Buffer, from: number): number {
  const at = skipSpace(text, from);
  return byteAt(text, at) === COLON ? skipSpace(text, at + 1) : INVALID;
}

/** Skips a value. Uses no recursion, because a body may be nested as deeply as it is long. */
export function skipValue(text: Buffer, from: number): number {
  let at = from;
  /** The closing brackets of the open objects and arrays, innermost last. */
  let closers: Uint8Array | null = null;
  let depth = 0;
  for (;;) {
    const first = byteAt(text, at);
    if (first === OPEN_OBJECT || first === OPEN_ARRAY) {
      const close = first === OPEN_OBJECT ? CLOSE_OBJECT : CLOSE_ARRAY;
      at = skipSpace(text, at + 1);
      if (byteAt(text, at) === close) {
        at += 1;
      } else {
        closers = withRoom(closers, depth);
        closers[depth] = close;
        depth += 1;
        at = close === CLOSE_OBJECT ? skipKey(text, at) : at;
        if (at === INVALID) {
          return INVALID;
        }
        continue;
      }
    } else {
      at = skipScalar(text, at);
      if (at === INVALID) {
        return INVALID;
      }
    }
    // A value has ended. Close the objects and arrays that end with it.
    for (;;) {
      if (closers === null || depth === 0) {
        return at;
      }
      at = skipSpace(text, at);
      const close = closers[depth - 1];
      if (byteAt(text, at) === close) {
        at += 1;
        depth -= 1;
        continue;
      }
      if (byteAt(text, at) !== COMMA) {
        return INVALID;
      }
      at = skipSpace(text, at + 1);
      at = close === CLOSE_OBJECT ? skipKey(text, at) : at;
      if (at === INVALID) {
        return INVALID;
      }
      break;
    }
  }
}

function withRoom(closers: Uint8Array | null, depth: number): Uint8Array {
  if (closers !== null && depth < closers.length) {
    return closers;
  }
  const larger = new Uint8Array(depth === 0 ? 32 : depth * 2);
  larger.set(closers ?? []);
  return larger;
}

function skipKey(text: Buffer, from: number): number {
  const end = skipString(text, from);
  return end === INVALID ? INVALID : skipColon(text, end);
}

function skipScalar(text: Buffer, from: number): number {
  const first = byteAt(text, from);
  if (first === QUOTE) {
    return skipString(text, from);
  }
  if (first === MINUS || isDigit(first)) {
    return skipNumber(text, from);
  }
  for (const word of LITERALS) {
    const end = from + word.length;
    if (first === word[0] && word.equals(text.subarray(from, end))) {
      return end;
    }
  }
  return INVALID;
}

function skipString(text: Buffer, from: number): number {
  if (byteAt(text, from) !== QUOTE) {
    return INVALID;
  }
  const { length } = text;
  const longFrom = from + SHORT_STRING;
  let words: Words | null = null;
  let at = from + 1;
  while (at < length) {
    if (at >= longFrom) {
      words ??= wordsOf(text);
      at = skipPlainWords(words, at);
      if (at >= length) {
        return INVALID;
      }
    }
    const byte = text[at] as number;
    if (byte === QUOTE) {
      return at + 1;
    }
    if (byte === BACKSLASH) {
      at = skipEscape(text, at);
      if (at === INVALID) {
        return INVALID;
      }
    } else if (byte < SPACE) {
      return INVALID;
    } else {
      at += 1;
    }
  }
  return INVALID;
}

/** The text as aligned 32-bit words. The first word starts at position `start` of the text. */
interface Words {
  readonly words: Int32Array;
  readonly start: number;
}

function wordsOf(text: Buffer): Words {
  const start = -text.byteOffset & 3;
  const count = Math.max(0, text.length - start) >> 2;
  const words = new Int32Array(text.buffer, text.byteOffset + start, count);
  return { words, start };
}

/**
 * Skips words without special bytes, and returns the position of the first other byte. Returns `at` if it is not aligned.
 * Reading four bytes at a time takes a third of the time.
 */
function skipPlainWords({ words, start }: Words, at: number): number {
  let i = (at - start) >> 2;
  if (at - start !== i << 2) {
    return at;
  }
  while (i < words.length && isPlain(words[i] as number)) {
    i += 1;
  }
  return start + (i << 2);
}

/**
 * Returns whether none of four bytes is a quote, a backslash or a control character. May return false for plain bytes, but
 * never true for special ones.
 *
 * `(x - 0x01010101) & ~x & 0x80808080` has the high bit of each byte of `x` that is zero. A borrow between bytes can set
 * further bits, which causes only a false negative.
 */
function isPlain(four: number): boolean {
  const quotes = four ^ 0x22222222;
  const backslashes = four ^ 0x5c5c5c5c;
  const special =
    ((four - 0x20202020) & ~four) |
    ((quotes - 0x01010101) & ~quotes) |
    ((backslashes - 0x01010101) & ~backslashes);
  return (special & 0x80808080) === 0;
}

function skipEscape(text: Buffer, from: number): number {
  const kind = byteAt(text, from + 1);
  if (kind === UNICODE) {
    const digits = text.toString("latin1", from + 2, from + 6);
    return HEX.test(digits) ? from + 6 : INVALID;
  }
  return ESCAPES.includes(kind) ? from + 2 : INVALID;
}

function skipNumber(text: Buffer, from: number): number {
  let at = byteAt(text, from) === MINUS ? from + 1 : from;
  if (byteAt(text, at) === ZERO) {
    at += 1;
  } else {
    at = skipDigits(text, at);
  }
  if (at !== INVALID && byteAt(text, at) === POINT) {
    at = skipDigits(text, at + 1);
  }
  if (
    at !== INVALID &&
    (byteAt(text, at) === LOWER_E || byteAt(text, at) === UPPER_E)
  ) {
    const sign = byteAt(text, at + 1);
    at = skipDigits(text, sign === PLUS || sign === MINUS ? at + 2 : at + 1);
  }
  return at;
}

/** Skips one or more digits. */
function skipDigits(text: Buffer, from: number): number {
  let at = from;
  while (isDigit(byteAt(text, at))) {
    at += 1;
  }
  return at === from ? INVALID : at;
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}
