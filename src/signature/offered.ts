import type { Algorithm, Scheme } from "../domain/scheme.ts";
import { decodeSignature } from "./encoding.ts";
import { NO_PAIRS, type Pairs } from "./place.ts";

/** A signature that a request carries. */
export interface Offered {
  readonly algorithm: Algorithm;
  readonly signature: Buffer;
}

export interface OfferedSignatures {
  readonly offered: readonly Offered[];
  readonly pairs: Pairs;
}

export type SignatureFault =
  "missing_signature" | "malformed_signature" | "too_many_signatures";

/** Signatures in one request. Each costs a comparison, or an operation with a public key. */
export const MAX_SIGNATURES = 16;

/** Lengths in bytes of the signatures with a fixed length. */
const SIGNATURE_BYTES: Readonly<Partial<Record<Algorithm, number>>> = {
  "hmac-sha1": 20,
  "hmac-sha256": 32,
  "hmac-sha512": 64,
  ed25519: 64,
};

/** The longest DER form of an ECDSA signature with P-256: two integers of 33 bytes. */
const MAX_DER_BYTES = 72;

/** Reads the signatures in a header's value or a JSON string that is not empty. */
export type ReadOffered = (text: string) => OfferedSignatures | SignatureFault;

/** The text of a signature, without its prefix. */
interface SignatureText {
  readonly text: string;
  readonly by: Algorithm;
}

/**
 * Returns a function that reads signatures. It checks the grammar first, then the decoded length. Spaces around items are
 * ignored, and so are items of other keys and versions.
 */
export function compileOffered(scheme: Scheme): ReadOffered {
  const { algorithm, signature } = scheme;
  const { syntax, encoding } = signature;

  function decode({ text, by }: SignatureText): readonly Offered[] {
    const bytes = decodeSignature(encoding, text);
    return bytes !== null && hasValidLength(by, bytes)
      ? [{ algorithm: by, signature: bytes }]
      : [];
  }

  /** A malformed signature beside a well-formed one is ignored, as the senders' own libraries do. */
  function decodeAll(
    texts: readonly SignatureText[],
    pairs: Pairs,
  ): OfferedSignatures | SignatureFault {
    if (texts.length > MAX_SIGNATURES) {
      return "too_many_signatures";
    }
    const offered = texts.flatMap(decode);
    return offered.length === 0 ? "malformed_signature" : { offered, pairs };
  }

  switch (syntax.kind) {
    case "raw": {
      const { prefix = "" } = syntax;
      return (text) => {
        const offered = text.startsWith(prefix)
          ? decode({ text: text.slice(prefix.length), by: algorithm })
          : [];
        return offered.length === 0
          ? "malformed_signature"
          : { offered, pairs: NO_PAIRS };
      };
    }
    case "pairs": {
      const { separator, key: signatureKey } = syntax;
      const { timestamp } = scheme;
      const timestampKey =
        timestamp !== null && "pair" in timestamp.from
          ? timestamp.from.pair
          : null;
      return (text) => {
        const pairs = new Map<string, string>();
        const texts: SignatureText[] = [];
        for (const item of text.split(separator)) {
          const equals = item.indexOf("=");
          if (equals === -1) {
            return "malformed_signature";
          }
          const key = trimSpaces(item.slice(0, equals));
          const value = trimSpaces(item.slice(equals + 1));
          if (key === signatureKey) {
            texts.push({ text: value, by: algorithm });
          } else if (key === timestampKey) {
            if (pairs.has(key)) {
              return "malformed_signature";
            }
            pairs.set(key, value);
          }
        }
        return decodeAll(texts, pairs);
      };
    }
    case "list": {
      const { versions } = syntax;
      return (text) => {
        const texts: SignatureText[] = [];
        for (const item of text.split(" ")) {
          const comma = item.indexOf(",");
          const version = item.slice(0, Math.max(comma, 0));
          const by = Object.hasOwn(versions, version)
            ? versions[version]
            : undefined;
          if (by !== undefined) {
            texts.push({ text: item.slice(comma + 1), by });
          }
        }
        return decodeAll(texts, NO_PAIRS);
      };
    }
  }
}

function hasValidLength(algorithm: Algorithm, { length }: Buffer): boolean {
  const exact = SIGNATURE_BYTES[algorithm];
  return exact === undefined
    ? length > 0 && (algorithm === "token" || length <= MAX_DER_BYTES)
    : length === exact;
}

/**
 * Removes spaces and tabs at both ends. `trim` would also remove characters that are no space in a header. A regular expression
 * would take quadratic time for a long run of spaces within the text.
 */
function trimSpaces(text: string): string {
  let from = 0;
  let to = text.length;
  while (from < to && isSpace(text[from])) {
    from += 1;
  }
  while (to > from && isSpace(text[to - 1])) {
    to -= 1;
  }
  return text.slice(from, to);
}

function isSpace(character: string | undefined): boolean {
  return character === " " || character === "\t";
}
