import type { Source } from "../domain/source.ts";

/**
 * A signature scheme as data (SCHEMES table of docs/sources.md): which headers carry it and what is signed.
 * All of them here: HMAC-SHA256, key = the secret's UTF-8 bytes verbatim, 64 hex digits of either case.
 */
export interface Scheme {
  readonly name: string;
  readonly signatureHeader: string;
  /** The header with the signed unix seconds, or null for a scheme that signs no time. */
  readonly timestampHeader: string | null;
  /**
   * `onReplay` of a source that does not set it. Many senders retry with the very same bytes and count 409 as a failure,
   * so it is `acknowledge` except where the sender signs each try anew.
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
  /** Signs the body alone, so a request is known again only by the replay guard. */
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

/** The scheme of that name. Names are checked in the configuration; another one is a fault of the program. */
export function schemeOf(name: string): Scheme {
  if (!isSchemeName(name)) {
    throw new TypeError(`no signature scheme is named ${name}`);
  }
  return SCHEMES[name];
}

/** The headers of a scheme that must be there once at most. */
export function singleHeadersOf(scheme: Scheme): readonly string[] {
  return scheme.timestampHeader === null
    ? [scheme.signatureHeader]
    : [scheme.signatureHeader, scheme.timestampHeader];
}
