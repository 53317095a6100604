import { LINE_START } from "../entry.ts";

const HASH_START = '"hash":"';
/** The maximum length of the writer and seq members. */
const MAX_PLACE = 100;
const HASH_DIGITS = 64;
/**
 * A hash at the end of a line, whose member name was changed. There are 65 digits if its opening quote became a digit.
 */
const WHOLE_HASH = /(?<!"prev":")(?<![0-9a-f])[0-9a-f]{64,65}"\}$/;

/** Marks that only an entry has. A change in one place leaves at least two of them intact. */
const MARKS = [
  /"chain":\{"writer":"/,
  /"prev":"[0-9a-f]{64}"/,
  /"hash":"[0-9a-f]{64}"/,
];

/** Longer lines are not examined: no entry is this long. */
const MAX_EXAMINED = 100_000;

/** Whether text is a changed entry, and not a line of another program that quotes parts of entries. */
export function isCorruptEntry(text: string): boolean {
  return (
    text.length <= MAX_EXAMINED &&
    MARKS.filter((mark) => mark.test(text)).length > 1 &&
    !isOtherObject(text)
  );
}

/** Whether text ends in a complete JSON object that is not an entry itself. It may contain an entry. */
export function isOtherObject(text: string): boolean {
  const value =
    text.length > MAX_EXAMINED
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
 * Whether text is an entry that breaks off: its process was killed during the write, or the line was cut. A line of another
 * program may follow on the same line.
 */
export function isTorn(text: string): boolean {
  const hash = text.lastIndexOf(HASH_START);
  // The metadata, which comes before the chain, may contain hashes of other entries.
  const at = hash < text.lastIndexOf('"chain":{') ? -1 : hash;
  const hasHash =
    at === -1
      ? WHOLE_HASH.test(text)
      : isHashRest(text.slice(at + HASH_START.length));
  return text.startsWith(LINE_START) && !hasHash && parsed(text) === undefined;
}

/** Whether text begins with a hash and the end of its entry. One character may have been changed. */
function isHashRest(text: string): boolean {
  let wrong = 0;
  for (let n = 0; n < HASH_DIGITS; n += 1) {
    wrong += /[0-9a-f]/.test(text[n] ?? "") ? 0 : 1;
  }
  wrong += text[HASH_DIGITS] === '"' ? 0 : 1;
  const isEnd = text.length === HASH_DIGITS + 2;
  return wrong <= 1 && (isEnd || text[HASH_DIGITS + 1] === "}");
}

/** Returns undefined for text that is not JSON. The beginning of an object is never JSON itself. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The place that a corrupt line claims. Null: that part cannot be read. */
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

/** Returns the end of a line, which has its place. The metadata before it may contain places of other entries. */
function chainPart(line: string): string {
  const at = line.lastIndexOf('"chain":{');
  const prev = line.lastIndexOf('"prev":"');
  return line.slice(at === -1 ? Math.max(0, prev - MAX_PLACE) : at);
}
