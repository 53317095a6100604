import type { Place, Scheme } from "../domain/scheme.ts";
import { compileIdentify, type Identify } from "./identify.ts";
import { headerOf, type SignedMessage } from "./message.ts";
import { compilePlace, headersIn, type ReadPlace } from "./place.ts";
import {
  compileReadSignatures,
  type ReadSignatures,
} from "./read-signatures.ts";
import { compileSigned, type Signed } from "./signed-bytes.ts";

/** A scheme with one header prefix. All that does not depend on a request is decided here. */
export interface CompiledScheme {
  /** The scheme, with the prefix in the names of all headers. */
  readonly scheme: Scheme;
  /** Lower-case names of the headers with signatures and tokens. They are not stored. */
  readonly signatureHeaders: readonly string[];
  /** Lower-case names of all headers that the scheme reads. A request must not repeat them. */
  readonly headers: readonly string[];
  readonly readSignatures: ReadSignatures;
  /** Null: the scheme signs no time. */
  readonly readTimestamp: ReadPlace | null;
  /** Null: the sender has no id. */
  readonly readId: ReadPlace | null;
  readonly signed: Signed;
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
    : (variants.find(({ signatureHeaders }) =>
        signatureHeaders.some((name) => headerOf(message, name) !== ""),
      ) ?? first);
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
  const variant = withPrefix(scheme, prefix);
  const { id, type, timestamp } = variant;
  const signatureHeaders = headersIn(variant.signature.from);
  const places = [id.from, timestamp?.from ?? null, ...type.from];
  const otherHeaders = places.flatMap((place) =>
    place === null ? [] : headersIn(place),
  );
  return {
    scheme: variant,
    signatureHeaders,
    headers: [...new Set([...signatureHeaders, ...otherHeaders])],
    readSignatures: compileReadSignatures(variant, signatureHeaders),
    readTimestamp: timestamp === null ? null : compilePlace(timestamp.from),
    readId: id.from === null ? null : compilePlace(id.from),
    signed: compileSigned(variant),
    identify: compileIdentify(variant),
  };
}

function withPrefix(scheme: Scheme, prefix: string): Scheme {
  const resolve = <P extends Place | Scheme["signature"]["from"] | null>(
    place: P,
  ): P =>
    place !== null && "header" in place
      ? { ...place, header: place.header.replace("*", prefix) }
      : place;
  const { id, type, timestamp, signature } = scheme;
  return {
    ...scheme,
    signature: { ...signature, from: resolve(signature.from) },
    id: { ...id, from: resolve(id.from) },
    type: { ...type, from: type.from.map(resolve) },
    timestamp:
      timestamp === null
        ? null
        : { ...timestamp, from: resolve(timestamp.from) },
  };
}
