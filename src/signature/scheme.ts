import type { Source } from "../domain/source.ts";

/**
 * A signature scheme: which headers carry the signature, and what it covers. docs/sources.md describes all schemes. Each one
 * here uses HMAC-SHA256. The key is the UTF-8 bytes of the secret. The signature is 64 hex digits of either case.
 */
export interface Scheme {
  readonly name: string;
  readonly signatureHeader: string;
  /** The header with the signed unix seconds; null for a scheme that signs no time. */
  readonly timestampHeader: string | null;
  /**
   * The default of `onReplay`. Many senders retry with identical bytes and treat a 409 as a failure, so the default is
   * `acknowledge` unless the sender signs each attempt separately.
   */
  readonly onReplay: Source["onReplay"];
}

const SIGNATURE_HEADER = "x-hex-signature";

export const SCHEMES = {
  /** Signs `timestamp.body`. */
  hex: {
    name: "hex",
    signatureHeader: SIGNATURE_HEADER,
    timestampHeader: "x-hex-timestamp",
    onReplay: "reject",
  },
  /** Signs only the body. Without a signed time, only the replay guard detects a replay. */
  "hex-body": {
    name: "hex-body",
    signatureHeader: SIGNATURE_HEADER,
    timestampHeader: null,
    onReplay: "acknowledge",
  },
} as const satisfies Record<string, Scheme>;

export type SchemeName = keyof typeof SCHEMES;

export const SCHEME_NAMES = Object.keys(SCHEMES) as SchemeName[];

function isSchemeName(name: string): name is SchemeName {
  return Object.hasOwn(SCHEMES, name);
}

/** Returns a scheme by its name. Throws TypeError for an unknown name, which the configuration never contains. */
export function schemeOf(name: string): Scheme {
  if (!isSchemeName(name)) {
    throw new TypeError(`no signature scheme is named ${name}`);
  }
  return SCHEMES[name];
}

/** Returns the headers of a scheme, which a request must not repeat. */
export function singleHeadersOf(scheme: Scheme): readonly string[] {
  return scheme.timestampHeader === null
    ? [scheme.signatureHeader]
    : [scheme.signatureHeader, scheme.timestampHeader];
}
