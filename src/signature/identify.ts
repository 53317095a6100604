import { hash as digest } from "node:crypto";
import { isUtf8 } from "node:buffer";
import type { Place, Scheme } from "../domain/scheme.ts";
import {
  isJsonContainer,
  type MemberName,
  memberName,
  readMembers,
} from "../json/read-members.ts";
import { isJsonMessage, type SignedMessage } from "./message.ts";
import { compilePlace, NO_PAIRS } from "./place.ts";

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
  return compileByPlaces(scheme);
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

/** Appended to an id that the sender uses for several messages. */
const DIGEST_DIGITS = 12;

function compileByPlaces({ id, type }: Scheme): Identify {
  const readId = id.from === null ? null : compileReader(id.from);
  const readTypes = type.from.map(compileReader);

  function idIn(source: Readable): string | null | undefined {
    const text = readId?.(source);
    if (typeof text !== "string") {
      return text;
    }
    const whole = id.withDigest
      ? `${text}:${bodyDigest(source.message).slice(0, DIGEST_DIGITS)}`
      : text;
    return isName(whole, MAX_ID) ? whole : null;
  }

  return (message) => {
    const isContainer = isJsonContainer(message.body);
    if (!isContainer && isJsonMessage(message)) {
      return REJECTED;
    }
    const source = { message, isContainer };
    const ownId = idIn(source);
    if (ownId === null && id.isSigned) {
      return REJECTED;
    }
    const hasOwnId = typeof ownId === "string";
    const ownType = readTypes
      .map((read) => read(source))
      .find((text) => isName(text, MAX_TYPE));
    return {
      id: hasOwnId ? ownId : bodyDigest(message),
      type: ownType ?? DEFAULT_TYPE,
      idSigned: id.isSigned || id.from === null,
    };
  };
}

interface Readable {
  readonly message: SignedMessage;
  /** Whether the body is a JSON object or array. Otherwise a pointer finds nothing. */
  readonly isContainer: boolean;
}

function compileReader(
  place: Place,
): (source: Readable) => string | null | undefined {
  const read = compilePlace(place);
  const isPointer = "pointer" in place;
  return ({ message, isContainer }) =>
    isPointer && !isContainer ? undefined : read(message, NO_PAIRS);
}

function bodyDigest({ body }: SignedMessage): string {
  return digest("sha256", body, "hex");
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
