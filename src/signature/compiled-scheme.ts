import type { Place, Scheme } from "../domain/scheme.ts";
import { compileIdentify, type Identify } from "./identify.ts";
import { headerOf, type SignedMessage } from "./message.ts";
import { compileOffered, type Pairs, type ReadOffered } from "./offered.ts";
import { compileTemplate, type Template } from "./template.ts";

/** A scheme with one header prefix. All that does not depend on a request is decided here. */
export interface CompiledScheme {
  readonly scheme: Scheme;
  /** Lower-case names of the headers with signatures and tokens. They are not stored. */
  readonly signatureHeaders: readonly string[];
  /** Lower-case names of all headers that the scheme reads. A request must not repeat them. */
  readonly headers: readonly string[];
  /** Returns the text with the signatures; "" if there is none. */
  readonly signatureText: (message: SignedMessage) => string;
  readonly readOffered: ReadOffered;
  /** Returns the text at a place; "" if there is none. */
  readonly textAt: (
    place: Place,
    message: SignedMessage,
    pairs: Pairs,
  ) => string;
  readonly template: Template;
  readonly identify: Identify;
}

const compiled = new WeakMap<Scheme, readonly CompiledScheme[]>();

/** Returns the variants of a scheme: one for each header prefix. */
export function variantsOf(scheme: Scheme): readonly CompiledScheme[] {
  let variants = compiled.get(scheme);
  if (variants === undefined) {
    variants = (scheme.prefixes ?? [""]).map((prefix) =>
      compileVariant(scheme, prefix),
    );
    compiled.set(scheme, variants);
  }
  return variants;
}

/** Returns the variant of a message: the first one whose signature is present. */
export function variantFor(
  scheme: Scheme,
  message: SignedMessage,
): CompiledScheme {
  const variants = variantsOf(scheme);
  const [first] = variants;
  if (first === undefined) {
    throw new TypeError(`scheme ${scheme.name} has an empty list of prefixes`);
  }
  return variants.length === 1
    ? first
    : (variants.find((one) => one.signatureText(message) !== "") ?? first);
}

/** Returns the headers of all variants, which a request must not repeat. */
export function singleHeadersOf(scheme: Scheme): readonly string[] {
  return variantsOf(scheme).flatMap(({ headers }) => headers);
}

/** Returns the headers of all variants with signatures and tokens. */
export function signatureHeadersOf(scheme: Scheme): readonly string[] {
  return variantsOf(scheme).flatMap(({ signatureHeaders }) => signatureHeaders);
}

function compileVariant(scheme: Scheme, prefix: string): CompiledScheme {
  const nameOf = (header: string): string => header.replace("*", prefix);
  const resolve = <P extends Place | null>(place: P): P =>
    place !== null && "header" in place
      ? { ...place, header: nameOf(place.header) }
      : place;
  const id = { ...scheme.id, from: resolve(scheme.id.from) };
  const type = { ...scheme.type, from: scheme.type.from.map(resolve) };
  const timestamp =
    scheme.timestamp === null
      ? null
      : { ...scheme.timestamp, from: resolve(scheme.timestamp.from) };
  const { from } = scheme.signature;
  const signatureHeaders = "header" in from ? [nameOf(from.header)] : [];
  const places = [id.from, timestamp?.from ?? null, ...type.from];
  const otherHeaders = places.flatMap((place) =>
    place !== null && "header" in place ? [place.header] : [],
  );
  const [signatureHeader = ""] = signatureHeaders;
  const template = compileTemplate(
    typeof scheme.signed === "string" ? scheme.signed : "{body}",
  );
  if (template === null) {
    throw new TypeError(`scheme ${scheme.name} has an invalid template`);
  }
  const variant = { ...scheme, id, type, timestamp };
  return {
    scheme: variant,
    signatureHeaders,
    headers: [...new Set([...signatureHeaders, ...otherHeaders])],
    signatureText: (message) => headerOf(message, signatureHeader),
    readOffered: compileOffered(scheme),
    textAt: (place, message, pairs) =>
      "header" in place
        ? headerOf(message, place.header)
        : "pair" in place
          ? (pairs.get(place.pair) ?? "")
          : "",
    template,
    identify: compileIdentify(variant),
  };
}
