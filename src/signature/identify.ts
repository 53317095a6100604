import { hash as digest } from "node:crypto";
import { isUtf8 } from "node:buffer";
import type { Place, Scheme } from "../domain/scheme.ts";
import {
  type MemberName,
  memberName,
  readMembers,
  type Scalar,
} from "../json/read-members.ts";
import { headerOf, type SignedMessage } from "./message.ts";

/** The id and type of a message. */
export interface Identity {
  /** Null: the message must be rejected, because its id is missing or unusable. */
  readonly id: string | null;
  /** Null: the message must be rejected, because its type is missing or unusable. */
  readonly type: string | null;
  /**
   * Whether the id is the idempotency key. False for every message of a scheme that does not sign ids, also for one without an
   * id. Otherwise a captured body could be recorded again by leaving its id out.
   */
  readonly idSigned: boolean;
}

export type Identify = (message: SignedMessage) => Identity;

const MAX_ID = 256;
const MAX_TYPE = 128;
const DEFAULT_TYPE = "event";
const LONE_SURROGATE = /\p{Surrogate}/u;
const REJECTED: Identity = { id: null, type: null, idSigned: true };

/**
 * Returns a function that reads the id and the type of a verified message.
 *
 * Invalid UTF-8 and lone surrogates are not accepted in an id or a type, because two different ids could decode to the same
 * text. Elsewhere in the body they are allowed, because the body is stored and forwarded as bytes.
 */
export function compileIdentify(scheme: Scheme): Identify {
  const names = topLevelNames(scheme);
  if (names !== null) {
    return ({ body }) => identifyByMembers(body, names);
  }
  return (message) => identifyByPlaces(scheme, message);
}

/** Returns the two names of a scheme whose id and type are required members of a JSON object. */
function topLevelNames({ id, type }: Scheme): readonly MemberName[] | null {
  const places = [id.from, ...type.from];
  const names = places.flatMap((place) =>
    place !== null && "pointer" in place && !/[~/]/.test(place.pointer.slice(1))
      ? [memberName(place.pointer.slice(1))]
      : [],
  );
  return id.isRequired && type.isRequired && names.length === 2 ? names : null;
}

function identifyByMembers(
  body: Buffer,
  names: readonly MemberName[],
): Identity {
  const [id, type] = readMembers(body, names) ?? [];
  if (!isName(id, MAX_ID) || !isName(type, MAX_TYPE)) {
    return REJECTED;
  }
  if ((id.includes("\ufffd") || type.includes("\ufffd")) && !isUtf8(body)) {
    return REJECTED;
  }
  return { id, type, idSigned: true };
}

/* The general way. */

function identifyByPlaces(scheme: Scheme, message: SignedMessage): Identity {
  const read = (place: Place): Scalar | undefined =>
    "header" in place
      ? headerOf(message, place.header) || undefined
      : "pointer" in place
        ? readMembers(message.body, [memberName(place.pointer.slice(1))])?.[0]
        : undefined;
  const id = scheme.id.from === null ? undefined : read(scheme.id.from);
  const type = scheme.type.from.map(read).find((one) => one !== undefined);
  const isUsable = isName(id, MAX_ID);
  return {
    id: isUsable ? id : digest("sha256", message.body, "hex"),
    type: isName(type, MAX_TYPE) ? type : DEFAULT_TYPE,
    idSigned: scheme.id.isSigned || scheme.id.from === null,
  };
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
