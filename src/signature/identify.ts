import { isUtf8 } from "node:buffer";
import { memberName, readMembers } from "../json/read-members.ts";

/** The id and type that the sender gave a message. */
export interface Identity {
  readonly id: string;
  readonly type: string;
}

const MAX_ID = 256;
const MAX_TYPE = 128;
const NAMES = ["id", "type"].map(memberName);
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * Reads `id` (1 to 256 characters) and `type` (1 to 128) of a verified body. Returns null if the body is not a JSON object
 * with both.
 *
 * Invalid UTF-8 and lone surrogates are not accepted in an id or a type, because two different ids could decode to the same
 * text. Elsewhere in the body they are allowed, because the body is stored and forwarded as bytes.
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
  // A character takes at most two UTF-16 units, so a text longer than twice the maximum need not be counted.
  return (
    value.length <= maxCharacters ||
    (value.length <= maxCharacters * 2 &&
      Array.from(value).length <= maxCharacters)
  );
}
