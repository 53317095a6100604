import type { Place, Scheme, TimestampFormat } from "../../domain/scheme.ts";
import { UsageError } from "../../errors.ts";
import { bodyWithText } from "../../signature/body-with-text.ts";
import {
  type CompiledScheme,
  variantsOf,
} from "../../signature/compiled-scheme.ts";
import { compilePlace, NO_PAIRS } from "../../signature/place.ts";
import type { SignedRequest } from "../../signature/sign.ts";
import { formatTimestamp, parseTimestamp } from "../../signature/timestamps.ts";

export const TAMPERINGS = ["body", "signature", "timestamp"] as const;
export type Tampering = (typeof TAMPERINGS)[number];

/** Returns the delivery with one part changed after signing. Throws UsageError if the scheme does not sign that part. */
export function tamper(
  scheme: Scheme,
  delivery: SignedRequest,
  part: Tampering,
): SignedRequest {
  const [variant] = variantsOf(scheme);
  if (variant === undefined) {
    throw new TypeError(`scheme ${scheme.name} has an empty list of prefixes`);
  }
  switch (part) {
    case "body":
      return withOtherBody(variant, delivery);
    case "signature":
      return withOtherSignature(variant, delivery);
    case "timestamp":
      return withOtherTimestamp(variant, delivery);
  }
}

function withOtherBody(
  { scheme, signed }: CompiledScheme,
  delivery: SignedRequest,
): SignedRequest {
  if (scheme.algorithm === "token" || !signed.names.has("body")) {
    throw new UsageError(
      `--tamper body: the scheme ${scheme.name} does not sign the body, so a change is not noticed`,
    );
  }
  const body = Buffer.concat([delivery.body, Buffer.from(" ")]);
  return { ...delivery, body };
}

/** Changes one character, so that the signature still has the form that the scheme expects. */
function withOtherSignature(
  { scheme: { signature }, signatureHeaders }: CompiledScheme,
  delivery: SignedRequest,
): SignedRequest {
  const { from, syntax } = signature;
  const place =
    "pointer" in from ? from : { header: signatureHeaders[0] ?? "" };
  const text = textAt(place, delivery);
  const start =
    syntax.kind === "raw"
      ? (syntax.prefix ?? "").length
      : syntax.kind === "pairs"
        ? text.lastIndexOf(`${syntax.key}=`) + syntax.key.length + 1
        : text.indexOf(",") + 1;
  const other = text[start] === "a" ? "b" : "a";
  return withTextAt(
    place,
    delivery,
    text.slice(0, start) + other + text.slice(start + 1),
  );
}

function withOtherTimestamp(
  { scheme, signatureHeaders }: CompiledScheme,
  delivery: SignedRequest,
): SignedRequest {
  const { timestamp, signature } = scheme;
  if (timestamp === null) {
    throw new UsageError(
      `--tamper timestamp: the scheme ${scheme.name} signs no timestamp`,
    );
  }
  const { from, unit } = timestamp;
  if (!("pair" in from)) {
    return withTextAt(from, delivery, later(textAt(from, delivery), unit));
  }
  // The timestamp is in the header with the signature.
  const place = { header: signatureHeaders[0] ?? "" };
  const separator =
    signature.syntax.kind === "pairs" ? signature.syntax.separator : ",";
  const pairs = textAt(place, delivery)
    .split(separator)
    .map((pair) => {
      const [key, ...value] = pair.split("=");
      return key === from.pair
        ? `${key}=${later(value.join("="), unit)}`
        : pair;
    });
  return withTextAt(place, delivery, pairs.join(separator));
}

/** Returns a timestamp that is a second later. */
function later(text: string, unit: TimestampFormat["unit"]): string {
  const seconds = parseTimestamp(text, unit) ?? 0;
  return formatTimestamp((seconds + 1) * 1000, unit);
}

function textAt(place: Place, { url, headers, body }: SignedRequest): string {
  const message = { method: "POST", url, headers, body };
  return compilePlace(place)(message, NO_PAIRS) ?? "";
}

function withTextAt(
  place: Place,
  delivery: SignedRequest,
  text: string,
): SignedRequest {
  const { url, headers, body } = delivery;
  return "header" in place
    ? { ...delivery, headers: { ...headers, [place.header]: text } }
    : {
        ...delivery,
        body: bodyWithText({ method: "POST", url, headers, body }, place, text),
      };
}
