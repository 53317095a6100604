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
 * Reads single values out of JSON text without parsing the rest into objects: a megabyte of `{},{},…` would become 40 MB of
 * them.
 */

/** A value that is neither an object nor an array, as `JSON.parse` gives it. */
export type Scalar = string | number | boolean | null;

const BOM = Buffer.from("\ufeff");

/** How an element of an array is named (RFC 6901 section 4). */
const INDEX = /^(?:0|[1-9]\d*)$/;

/**
 * The scalars of the named members of a JSON object, undefined where it has no such member or that is an object or an array; of
 * members with the same name the last one counts, as with `JSON.parse`. Null when the body is no JSON object. A leading byte
 * order mark is skipped, as RFC 8259 section 8.1 permits.
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
 * The scalar below the value of a valid JSON body, by the names on the way to it; an element of an array is named by its index.
 * Undefined where there is none.
 */
export function readAt(
  body: Buffer,
  names: readonly string[],
): Scalar | undefined {
  let at: number | undefined = rootOf(body);
  for (const name of names) {
    if (at === undefined) {
      break;
    }
    at = childAt(body, at, name);
  }
  return scalarAt(body, at);
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
  return first === OPEN_OBJECT || first === OPEN_ARRAY
    ? undefined
    : (JSON.parse(body.toString("utf8", at, skipValue(body, at))) as Scalar);
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

/** The name of a member, ready to be compared with. */
export interface MemberName {
  readonly name: string;
  readonly bytes: Buffer;
}

export function memberName(name: string): MemberName {
  return { name, bytes: Buffer.from(name) };
}

/** Whether the string between two positions, its quotes included, is `name`. */
function isName(
  body: Buffer,
  from: number,
  to: number,
  { name, bytes }: MemberName,
): boolean {
  const length = to - from - 2;
  // With escapes a key is longer than its name, six times at most.
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
