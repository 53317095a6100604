import type { Algorithm, Scheme } from "../../domain/scheme.ts";
import { headerOf, type SignedMessage } from "../message.ts";
import {
  signatureHeadersOf,
  variantFor,
  variantsOf,
} from "../compiled-scheme.ts";
import { NO_PAIRS } from "../place.ts";
import { SCHEMES } from "../schemes.ts";
import { withoutPrefix } from "./signature-text.ts";

/** Lengths of signatures in bytes. */
const BYTES: Readonly<Partial<Record<Algorithm, number>>> = {
  "hmac-sha1": 20,
  "hmac-sha256": 32,
  "hmac-sha512": 64,
  ed25519: 64,
};

/** Returns where a scheme has its signature, such as `the header x-hub-signature-256`. */
export function signaturePlace(scheme: Scheme): string {
  const { from } = scheme.signature;
  return "pointer" in from
    ? `the member ${from.pointer} of the body`
    : `the header ${signatureHeadersOf(scheme).slice(0, 2).join(" or ")}`;
}

const SEPARATORS = { ",": "commas", ";": "semicolons" } as const;

/** Returns the form of a scheme's signatures, such as `sha256= and 64 hex digits`. */
export function signatureForm({ signature, algorithm }: Scheme): string {
  const { syntax, encoding } = signature;
  const one = digits(encoding, BYTES[algorithm]);
  switch (syntax.kind) {
    case "raw":
      return syntax.prefix ? `${syntax.prefix} and ${one}` : one;
    case "pairs":
      return `pairs key=value separated by ${SEPARATORS[syntax.separator]}, with ${syntax.key}= and ${one}`;
    case "list":
      return `items separated by spaces, such as ${Object.keys(syntax.versions)[0] ?? ""}, and ${one}`;
  }
}

function digits(
  encoding: "hex" | "base64" | "text",
  bytes: number | undefined,
): string {
  switch (encoding) {
    case "hex":
      return bytes === undefined ? "hex digits" : `${bytes * 2} hex digits`;
    case "base64":
      return bytes === undefined
        ? "base64 with padding"
        : `${Math.ceil(bytes / 3) * 4} characters of base64`;
    case "text":
      return "the token";
  }
}

/** Describes the signature that a message has, without quoting it. */
export function foundSignature(scheme: Scheme, message: SignedMessage): string {
  const [text = ""] = signatureHeadersOf(scheme)
    .map((name) => headerOf(message, name))
    .filter(Boolean);
  if (text === "" || scheme.signature.syntax.kind !== "raw") {
    return `no such signature in its ${text.length} characters`;
  }
  const one = withoutPrefix(text);
  const prefix = text.slice(0, text.length - one.length);
  const after = prefix === "" ? "" : ` after ${prefix.trimEnd()}`;
  if (/^[0-9a-f]+$/i.test(one)) {
    return `${one.length} hex digits${after}`;
  }
  return /^[A-Za-z0-9+/]+=*$/.test(one)
    ? `${one.length} characters of base64${after}`
    : `${one.length} characters${after} that are neither hex nor base64`;
}

/** Returns the timestamp of a message as received; "" if there is none. */
export function receivedTimestamp(
  scheme: Scheme,
  message: SignedMessage,
): string {
  const { readSignatures, readTimestamp } = variantFor(scheme, message);
  const read = readSignatures(message);
  const pairs = typeof read === "string" ? NO_PAIRS : read.pairs;
  return readTimestamp?.(message, pairs) ?? "";
}

/** Returns where a scheme has its timestamp or its signed id, in the variant that the message uses. */
export function placeName(
  place: NonNullable<Scheme["id"]["from"]>,
  scheme: Scheme,
): string {
  if ("header" in place) {
    return `the header ${place.header}`;
  }
  if ("headers" in place) {
    return `the header ${place.headers.join(" or ")}`;
  }
  if ("pair" in place) {
    return `${place.pair}= in ${signaturePlace(scheme)}`;
  }
  return "pointer" in place
    ? `the member ${place.pointer} of the body`
    : `the field ${place.fields.join(" or ")} of the form`;
}

/** Returns the names of the other schemes whose signature is in the message, with the header of the first one. */
export function otherSignatures(
  scheme: Scheme,
  { headers }: SignedMessage,
): { header: string; names: readonly string[] } | null {
  const own = signatureHeadersOf(scheme);
  const present = [...SCHEMES.values()].flatMap((other) =>
    variantsOf(other).flatMap(({ signatureHeaders }) =>
      signatureHeaders
        .filter((header) => headers[header] && !own.includes(header))
        .map((header) => ({ header, name: other.name })),
    ),
  );
  const [first] = present;
  return first === undefined
    ? null
    : {
        header: first.header,
        names: present
          .filter(({ header }) => header === first.header)
          .map(({ name }) => name),
      };
}
