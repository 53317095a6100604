import type { Place, Scheme } from "../domain/scheme.ts";
import { namesOf } from "../json/json-pointer.ts";
import { readTextAt } from "../json/read-members.ts";
import { formFieldsOf } from "./form.ts";
import { headerOf, type SignedMessage } from "./message.ts";

/** The pairs of a signature header that are not signatures, by key. */
export type Pairs = ReadonlyMap<string, string>;

export const NO_PAIRS: Pairs = new Map();

/**
 * Reads the text at a place of a message. Returns undefined if there is none, and null for a value that is not a text, such as
 * an object or bytes that are not UTF-8. The body need not be valid.
 */
export type ReadPlace = (
  message: SignedMessage,
  pairs: Pairs,
) => string | null | undefined;

export function compilePlace(place: Place): ReadPlace {
  if ("header" in place) {
    const { header } = place;
    return (message) => headerOf(message, header) || undefined;
  }
  if ("headers" in place) {
    const { headers } = place;
    return (message) => {
      const present = headers.find((name) => headerOf(message, name) !== "");
      return present === undefined ? undefined : headerOf(message, present);
    };
  }
  if ("pair" in place) {
    const { pair } = place;
    return (_message, pairs) => pairs.get(pair) || undefined;
  }
  if ("pointer" in place) {
    const names = namesOf(place.pointer);
    return ({ body }) => readTextAt(body, names);
  }
  const { fields } = place;
  return (message) => {
    const form = new Map(formFieldsOf(message)?.toReversed());
    const field = fields.find((name) => form.get(name));
    const value = field === undefined ? undefined : form.get(field);
    return value?.includes("\ufffd") ? null : value;
  };
}

/** A text as the signature covers it: text of a header in latin1, as a string; other text as its UTF-8 bytes. */
export type SignedText = string | Buffer;

/** Returns the signed form of a text from a place. As latin1, different characters of the body would become the same byte. */
export function signedText(text: string, place: Place): SignedText {
  return headersIn(place).length > 0 || "pair" in place
    ? text
    : Buffer.from(text);
}

/** Returns the names of the headers that a place may be in. */
export function headersIn(
  place: Place | Scheme["signature"]["from"],
): readonly string[] {
  return "header" in place
    ? [place.header]
    : "headers" in place
      ? place.headers
      : [];
}
