import { LINE_START } from "../core/audit-entry.ts";
import { STDOUT_PREFIX } from "./stdout-sink.ts";

const HASH_START = '"hash":"';
/** A writer and a seq, with their names. */
const MAX_PLACE = 100;
/** 64 hex digits, a quote and a brace. */
const HASH_REST = 66;

/** What `docker logs -t`, `kubectl logs --timestamps` and `--prefix`, and compose put before a line. */
const COLLECTOR =
  /^(?:[\w.-]+ +\| |\[pod\/[\w./-]+\] )?(?:\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d) )?/;

/** A line of a stream without what stands before an entry there. */
export function bareLine(text: string): string {
  const line = text.replace(COLLECTOR, "");
  return line.startsWith(STDOUT_PREFIX)
    ? line.slice(STDOUT_PREFIX.length)
    : line;
}

/** Whether a line is an entry, or was one before somebody changed it. */
export function isEntryLike(line: string): boolean {
  return (
    line.startsWith(LINE_START) ||
    line.includes('"chain":{"writer":"') ||
    /"prev":"[0-9a-f]{64}"/.test(line)
  );
}

/** Whether a line is the beginning of an entry: its process was killed while it wrote, or somebody cut it. */
export function isTorn(line: string): boolean {
  const bare = bareLine(line);
  const begins =
    bare.startsWith(LINE_START) ||
    [LINE_START, STDOUT_PREFIX].some((start) => start.startsWith(bare));
  const at = bare.lastIndexOf(HASH_START);
  return (
    begins &&
    !isJson(bare) &&
    (at === -1
      ? !bare.endsWith('"}')
      : bare.length - at - HASH_START.length < HASH_REST)
  );
}

/** The beginning of an object is never an object itself. */
function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Where a second entry begins in a line whose first one broke off without a line end; -1 when there is none. */
export function secondEntryAt(line: string): number {
  const bare = line.indexOf(LINE_START, 1);
  const prefixed = bare - STDOUT_PREFIX.length;
  return prefixed > 0 && line.startsWith(STDOUT_PREFIX, prefixed)
    ? prefixed
    : bare;
}

/** What a changed line says of its place, as far as that can still be read. */
export interface Claims {
  readonly writer: string | null;
  readonly seq: number | null;
  readonly prev: string | null;
  readonly hash: string | null;
}

export function claimsOf(line: string): Claims {
  const chain = chainPart(line);
  const text = (pattern: RegExp): string | null =>
    [...chain.matchAll(pattern)].at(-1)?.[1] ?? null;
  const seq = text(/"seq":(\d{1,15}),/g);
  return {
    writer: text(/"writer":"([\w.-]{1,64})","seq"/g),
    seq: seq === null ? null : Number(seq),
    prev: text(/"prev":"([0-9a-f]{64})"/g),
    hash: text(/"hash":"([0-9a-f]{64})"/g),
  };
}

/** The end of a line, with its place: an entry may name the places of others before that. */
function chainPart(line: string): string {
  const at = line.lastIndexOf('"chain":{');
  const prev = line.lastIndexOf('"prev":"');
  return line.slice(at === -1 ? Math.max(0, prev - MAX_PLACE) : at);
}
