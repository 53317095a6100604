import { asciiJson } from "../json/ascii.ts";
import { type ChainLink, splitHash } from "./chain.ts";

/** An entry that was read from a line. The members of `metadata` depend on the action. */
export interface ParsedEntry {
  readonly timestamp: string;
  readonly action: string;
  readonly userId: string;
  readonly resource: string;
  readonly result: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly chain: ChainLink;
  readonly hash: string;
}

const HASH = /^[0-9a-f]{64}$/;

/** Parses a line of the trail. Returns null if the line does not have the form of an entry. */
export function parseEntry(line: string): ParsedEntry | null {
  if (splitHash(line) === null) {
    return null;
  }
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  return isEntry(value) ? value : null;
}

function isEntry(value: unknown): value is ParsedEntry {
  if (!isObject(value)) {
    return false;
  }
  const { chain, metadata } = value;
  return (
    ["timestamp", "action", "userId", "resource", "result", "hash"].every(
      (name) => typeof value[name] === "string",
    ) &&
    isObject(metadata) &&
    isObject(chain) &&
    typeof chain["writer"] === "string" &&
    Number.isSafeInteger(chain["seq"]) &&
    typeof chain["prev"] === "string" &&
    HASH.test(chain["prev"])
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether the line is exactly how Hexhook writes this entry: the same members, in the same order, in the same encoding. */
export function isExactLine(line: string, entry: ParsedEntry): boolean {
  const { timestamp, action, userId, resource, result, metadata } = entry;
  const { writer, seq, prev } = entry.chain;
  const chain = { writer, seq, prev };
  const members = { timestamp, action, userId, resource, result, metadata };
  return asciiJson({ ...members, chain, hash: entry.hash }) === line;
}
