import { LINE_START } from "../entry.ts";

const HASH_START = '"hash":"';
/** A writer and a seq, with their names. */
const MAX_PLACE = 100;
const HASH_DIGITS = 64;
/** At the end of the line, where its name was changed. */
const WHOLE_HASH = /(?<!"prev":")(?<![0-9a-f])[0-9a-f]{64}"\}$/;

/** What an entry alone has. A change in one place leaves two of them. */
const MARKS = [
  /"chain":\{"writer":"/,
  /"prev":"[0-9a-f]{64}"/,
  /"hash":"[0-9a-f]{64}"/,
];

/** No entry is so long; longer lines are not looked into. */
const MAX_LOOKED_INTO = 100_000;

/** Whether text was an entry before somebody changed it, and not a line of another program, which may speak of entries. */
export function isCorruptEntry(text: string): boolean {
  return (
    text.length <= MAX_LOOKED_INTO &&
    MARKS.filter((mark) => mark.test(text)).length > 1 &&
    !isOtherObject(text)
  );
}

/** Whether text ends in a whole object that is no entry, though it may have one somewhere in it. */
export function isOtherObject(text: string): boolean {
  const value =
    text.length > MAX_LOOKED_INTO
      ? undefined
      : parsed(text.slice(Math.max(0, text.indexOf("{"))));
  return (
    typeof value === "object" &&
    value !== null &&
    !("chain" in value) &&
    !("hash" in value)
  );
}

/**
 * Whether text that begins as an entry breaks off: its process was killed while it wrote, or somebody cut it. A line of
 * another program may go on there.
 */
export function isTorn(text: string): boolean {
  const hash = text.lastIndexOf(HASH_START);
  // An entry may name the hashes of others before its own place.
  const at = hash < text.lastIndexOf('"chain":{') ? -1 : hash;
  const hasHash =
    at === -1
      ? WHOLE_HASH.test(text)
      : isHashRest(text.slice(at + HASH_START.length));
  return text.startsWith(LINE_START) && !hasHash && parsed(text) === undefined;
}

/** Whether text begins with a hash and the end of its entry, of which one character may have been changed. */
function isHashRest(text: string): boolean {
  let wrong = 0;
  for (let n = 0; n < HASH_DIGITS; n += 1) {
    wrong += /[0-9a-f]/.test(text[n] ?? "") ? 0 : 1;
  }
  wrong += text[HASH_DIGITS] === '"' ? 0 : 1;
  const isEnd = text.length === HASH_DIGITS + 2;
  return wrong <= 1 && (isEnd || text[HASH_DIGITS + 1] === "}");
}

/** Undefined when it is no JSON text: the beginning of an object is never one itself. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What a changed line says of its place, as far as that can still be read. */
export interface Claims {
  /** The number of the line, from 1. */
  readonly line: number;
  readonly writer: string | null;
  readonly seq: number | null;
  readonly prev: string | null;
  readonly hash: string | null;
}

export function claimsOf(text: string, line: number): Claims {
  const chain = chainPart(text);
  const last = (pattern: RegExp): string | null =>
    [...chain.matchAll(pattern)].at(-1)?.[1] ?? null;
  const seq = last(/"seq":(\d{1,15}),/g);
  return {
    line,
    writer: last(/"writer":"([\w.-]{1,64})","seq"/g),
    seq: seq === null ? null : Number(seq),
    prev: last(/"prev":"([0-9a-f]{64})"/g),
    hash: last(/"hash":"([0-9a-f]{64})"/g),
  };
}

/** The end of a line, with its place: an entry may name the places of others before that. */
function chainPart(line: string): string {
  const at = line.lastIndexOf('"chain":{');
  const prev = line.lastIndexOf('"prev":"');
  return line.slice(at === -1 ? Math.max(0, prev - MAX_PLACE) : at);
}
