import { isUtf8 } from "node:buffer";
import { memberName, readMembers } from "../json/read-members.ts";

/** What identifies a message: the id and type that its sender gave it. */
export interface Identity {
  readonly id: string;
  readonly type: string;
}

const MAX_ID = 256;
const MAX_TYPE = 128;
const NAMES = ["id", "type"].map(memberName);
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * Reads `id` (1 to 256 characters) and `type` (1 to 128) of a verified body; null when the body is not a JSON object
 * that has them. Bytes that are not UTF-8 are allowed elsewhere in the body, because the body is stored and forwarded
 * as bytes. In an id or type they are refused, as lone surrogates are: two different ids could decode to the same text.
 */
export function identify(body: Buffer): Identity | null {
  const [id, type] = readMembers(body, NAMES) ?? [];
  if (!isName(id, MAX_ID) || !isName(type, MAX_TYPE)) {
    return null;
  }
  if ((id.includes("\ufffd") || type.includes("\ufffd")) && !isUtf8(body)) {
    return null;
  }
  return { id, type };
}

function isName(value: unknown, maxCharacters: number): value is string {
  if (typeof value !== "string" || value.length === 0) {
    return false;
  }
  if (LONE_SURROGATE.test(value)) {
    return false;
  }
  // A character outside the basic plane is two UTF-16 units, so the exact count matters only up to twice the maximum.
  return (
    value.length <= maxCharacters ||
    (value.length <= maxCharacters * 2 &&
      Array.from(value).length <= maxCharacters)
  );
}
