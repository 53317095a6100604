import type { Algorithm, Scheme } from "../domain/scheme.ts";
import { decodeBase64, decodeHex } from "./encoding.ts";

/** A signature that a request carries. */
export interface Offered {
  readonly algorithm: Algorithm;
  readonly signature: Buffer;
}

/** The pairs of a signature header, by key. The first one of a key counts; repeated signatures are in `offered`. */
export type Pairs = ReadonlyMap<string, string>;

export interface OfferedSignatures {
  readonly offered: readonly Offered[];
  readonly pairs: Pairs;
}

/** Signatures in one request. Each costs a comparison, or an operation with a public key. */
export const MAX_SIGNATURES = 16;

const NO_PAIRS: Pairs = new Map();

/** Lengths in bytes of the signatures with a fixed length. */
const SIGNATURE_BYTES: Readonly<Partial<Record<Algorithm, number>>> = {
  "hmac-sha1": 20,
  "hmac-sha256": 32,
  "hmac-sha512": 64,
  ed25519: 64,
};

export type ReadOffered = (
  text: string,
) => OfferedSignatures | "malformed" | "too_many";

/**
 * Returns a function that reads the signatures in a header's value. The grammar is checked first, then the decoded length.
 * Spaces around items are ignored. Items of other keys and versions are ignored.
 */
export function compileOffered({ algorithm, signature }: Scheme): ReadOffered {
  const { syntax, encoding } = signature;
  const decode = (text: string, by: Algorithm): Buffer | null => {
    const bytes =
      encoding === "text"
        ? Buffer.from(text, "latin1")
        : encoding === "hex"
          ? decodeHex(text)
          : decodeBase64(text);
    const length = SIGNATURE_BYTES[by];
    return bytes === null ||
      bytes.length === 0 ||
      (length !== undefined && bytes.length !== length)
      ? null
      : bytes;
  };
  switch (syntax.kind) {
    case "raw": {
      const { prefix = "" } = syntax;
      return (text) => {
        const bytes = text.startsWith(prefix)
          ? decode(text.slice(prefix.length), algorithm)
          : null;
        return bytes === null
          ? "malformed"
          : { offered: [{ algorithm, signature: bytes }], pairs: NO_PAIRS };
      };
    }
    case "pairs":
      return (text) => {
        const pairs = new Map<string, string>();
        const texts: string[] = [];
        for (const item of text.split(syntax.separator)) {
          const equals = item.indexOf("=");
          if (equals === -1) {
            return "malformed";
          }
          const key = item.slice(0, equals).trim();
          const value = item.slice(equals + 1).trim();
          if (key === syntax.key) {
            texts.push(value);
          } else if (pairs.has(key)) {
            return "malformed";
          }
          pairs.set(key, value);
        }
        return decodeAll(
          texts.map((value) => ({ text: value, by: algorithm })),
          decode,
          pairs,
        );
      };
    case "list":
      return (text) => {
        const found: { text: string; by: Algorithm }[] = [];
        for (const item of text.trim().split(/ +/)) {
          const comma = item.indexOf(",");
          const version = item.slice(0, Math.max(comma, 0));
          const by = Object.hasOwn(syntax.versions, version)
            ? syntax.versions[version]
            : undefined;
          if (by !== undefined) {
            found.push({ text: item.slice(comma + 1), by });
          }
        }
        return decodeAll(found, decode, NO_PAIRS);
      };
  }
}

/** A malformed signature beside a well-formed one is ignored, as the senders' own libraries do. */
function decodeAll(
  texts: readonly { text: string; by: Algorithm }[],
  decode: (text: string, by: Algorithm) => Buffer | null,
  pairs: Pairs,
): OfferedSignatures | "malformed" | "too_many" {
  if (texts.length > MAX_SIGNATURES) {
    return "too_many";
  }
  const offered = texts.flatMap(({ text, by }) => {
    const signature = decode(text, by);
    return signature === null ? [] : [{ algorithm: by, signature }];
  });
  return offered.length === 0 ? "malformed" : { offered, pairs };
}
