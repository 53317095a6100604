import { isUtf8 } from "node:buffer";
import {
  BACKSLASH,
  byteAt,
  INVALID,
  OPEN_ARRAY,
  OPEN_OBJECT,
  skipArray,
  skipObject,
  skipSpace,
  skipValue,
} from "./grammar.ts";

/*
 * Reads single values from JSON text without building objects for the rest. A megabyte of `{},{},…` would become 40 MB of
 * objects.
 */

/** A value that is neither an object nor an array, as `JSON.parse` returns it. */
export type Scalar = string | number | boolean | null;

const BOM = Buffer.from("\ufeff");

/** The name of an array element in a JSON pointer (RFC 6901 section 4). */
const INDEX = /^(?:0|[1-9]\d*)$/;

/**
 * Returns the scalars of the named members of a JSON object, or null if the body is not a JSON object. A value is undefined
 * if the member is missing, or is an object or an array. If a name is duplicated, the last member counts, as with
 * `JSON.parse`. A leading byte order mark is skipped, as RFC 8259 section 8.1 permits.
 */
export function readMembers(
  body: Buffer,
  names: readonly MemberName[],
): readonly (Scalar | undefined)[] | null {
  const at = rootOf(body);
  if (byteAt(body, at) !== OPEN_OBJECT) {
    return null;
  }
  const found: (number | undefined)[] = names.map(() => undefined);
  const end = skipObject(body, at, (from, to, value) => {
    for (let n = 0; n < names.length; n += 1) {
      if (isName(body, from, to, names[n] as MemberName)) {
        found[n] = value;
      }
    }
  });
  return end === INVALID || skipSpace(body, end) !== body.length
    ? null
    : found.map((value) => scalarAt(body, value));
}

/**
 * Returns the scalar at a path in a JSON body, or undefined if there is none. The path is a list of member names; array
 * elements are named by their index.
 */
export function readAt(
  body: Buffer,
  names: readonly string[],
): Scalar | undefined {
  return scalarAt(body, positionAt(body, names));
}

/** The only form of an integer that has no second form: `1.0` and `1e0` are other texts for 1. */
const INTEGER = /^-?(?:0|[1-9]\d*)$/;

/** The longest value that counts as a text, as written, in bytes. An id of 256 characters takes 3 KB if all are escaped. */
const MAX_TEXT_BYTES = 8192;

/**
 * Returns the text at a path in a JSON body. A safe integer counts as its text. Returns undefined if there is no value or null,
 * and null for any other value, for a text that is too long, and for a string that is not UTF-8, because two different strings
 * could decode to one text.
 */
export function readTextAt(
  body: Buffer,
  names: readonly string[],
): string | null | undefined {
  const at = positionAt(body, names);
  if (at === undefined) {
    return undefined;
  }
  const end = skipValue(body, at);
  if (end - at > MAX_TEXT_BYTES) {
    // It is not decoded: this may be before the message is verified.
    return null;
  }
  const value = scalarAt(body, at);
  if (value === null) {
    return undefined;
  }
  if (typeof value !== "string" && typeof value !== "number") {
    return null;
  }
  const bytes = body.subarray(at, end);
  if (typeof value === "string") {
    return value.includes("\ufffd") && !isUtf8(bytes) ? null : value;
  }
  const text = bytes.toString("latin1");
  return Number.isSafeInteger(value) && INTEGER.test(text) ? text : null;
}

/** Returns whether a body is exactly one JSON object or array. */
export function isJsonContainer(body: Buffer): boolean {
  const at = rootOf(body);
  const first = byteAt(body, at);
  if (first !== OPEN_OBJECT && first !== OPEN_ARRAY) {
    return false;
  }
  const end = skipValue(body, at);
  return end !== INVALID && skipSpace(body, end) === body.length;
}

function positionAt(
  body: Buffer,
  names: readonly string[],
): number | undefined {
  let at: number | undefined = rootOf(body);
  for (const name of names) {
    if (at === undefined) {
      return undefined;
    }
    at = childAt(body, at, name);
  }
  return at;
}

function rootOf(body: Buffer): number {
  return skipSpace(
    body,
    BOM.equals(body.subarray(0, BOM.length)) ? BOM.length : 0,
  );
}

function scalarAt(body: Buffer, at: number | undefined): Scalar | undefined {
  if (at === undefined) {
    return undefined;
  }
  const first = byteAt(body, at);
  if (first === OPEN_OBJECT || first === OPEN_ARRAY) {
    return undefined;
  }
  const end = skipValue(body, at);
  return end === INVALID
    ? undefined
    : (JSON.parse(body.toString("utf8", at, end)) as Scalar);
}

function childAt(body: Buffer, at: number, name: string): number | undefined {
  const first = byteAt(body, at);
  let child: number | undefined;
  if (first === OPEN_OBJECT) {
    const wanted = memberName(name);
    skipObject(body, at, (from, to, value) => {
      if (isName(body, from, to, wanted)) {
        child = value;
      }
    });
  } else if (first === OPEN_ARRAY && INDEX.test(name)) {
    const wanted = Number(name);
    let index = 0;
    skipArray(body, at, (element) => {
      if (index === wanted) {
        child = element;
      }
      index += 1;
    });
  }
  return child;
}

/** The name of a member, as text and as bytes for comparisons. */
export interface MemberName {
  readonly name: string;
  readonly bytes: Buffer;
}

export function memberName(name: string): MemberName {
  return { name, bytes: Buffer.from(name) };
}

/** Returns whether the JSON string between two positions, including its quotes, equals `name`. */
function isName(
  body: Buffer,
  from: number,
  to: number,
  { name, bytes }: MemberName,
): boolean {
  const length = to - from - 2;
  // Escapes make a key longer than its name, by a factor of six at most.
  if (length < bytes.length || length > bytes.length * 6) {
    return false;
  }
  let equal = length === bytes.length;
  let escaped = false;
  for (let n = 0; n < length; n += 1) {
    const byte = byteAt(body, from + 1 + n);
    equal &&= byte === bytes[n];
    escaped ||= byte === BACKSLASH;
  }
  return (
    equal || (escaped && JSON.parse(body.toString("utf8", from, to)) === name)
  );
}
