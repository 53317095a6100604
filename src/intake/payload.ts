import { isUtf8 } from "node:buffer";
import { memberName, readMembers } from "../json/read-members.ts";

/** What Hexhook reads of a body, but for the order keys of destinations that have one. */
export interface Payload {
  readonly id: string;
  readonly type: string;
}

const MAX_ID = 256;
const MAX_TYPE = 128;
const NAMES = ["id", "type"].map(memberName);
const BOM = "\ufeff";
const LONE_SURROGATE = /\p{Surrogate}/u;

/** The body as JSON text: a leading byte order mark is ignored, as RFC 8259 section 8.1 allows. */
export function decodeBody(body: Buffer): string {
  const text = body.toString("utf8");
  return text.startsWith(BOM) ? text.slice(1) : text;
}

/**
 * Reads `id` (1 to 256 characters) and `type` (1 to 128) of a verified body, or null when it is not a JSON
 * object that has them. Elsewhere in the body bytes that are not UTF-8 do no harm, since the body itself is
 * never decoded for storing or forwarding; in an id or type they would make two ids one, so there they are
 * refused, and lone surrogates for the same reason.
 */
export function readPayload(body: Buffer): Payload | null {
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
  // A character outside the basic plane is two UTF-16 units: count only where that can matter.
  return (
    value.length <= maxCharacters ||
    (value.length <= maxCharacters * 2 &&
      Array.from(value).length <= maxCharacters)
  );
}
