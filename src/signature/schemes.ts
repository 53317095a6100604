import type { Scheme } from "../domain/scheme.ts";

/** Headers of `hex`. */
const HEX_SIGNATURE = { header: "x-hex-signature" };

const BODY_ID_AND_TYPE = {
  id: { from: { pointer: "/id" }, isSigned: true, isRequired: true },
  type: { from: [{ pointer: "/type" }], isRequired: true },
} as const;

/** The minimum for secrets that Hexhook's own users choose. */
const CHOSEN = { format: "text", minBytes: 24 } as const;

/**
 * Every signature scheme. To add a sender, add an entry here, a row for its page in docs/sources, and a vector or a signer
 * to its test.
 */
const TABLE = [
  {
    name: "hex",
    algorithm: "hmac-sha256",
    secret: CHOSEN,
    signature: {
      from: HEX_SIGNATURE,
      syntax: { kind: "raw" },
      encoding: "hex",
    },
    signed: "{timestamp}.{body}",
    timestamp: {
      from: { header: "x-hex-timestamp" },
      unit: "s",
      windowSeconds: 300,
    },
    ...BODY_ID_AND_TYPE,
    media: ["json"],
    // The sender signs each attempt separately.
    onReplay: "reject",
  },
  {
    name: "hex-body",
    algorithm: "hmac-sha256",
    secret: CHOSEN,
    signature: {
      from: HEX_SIGNATURE,
      syntax: { kind: "raw" },
      encoding: "hex",
    },
    signed: "{body}",
    timestamp: null,
    ...BODY_ID_AND_TYPE,
    media: ["json"],
    onReplay: "acknowledge",
  },
  {
    name: "standard-webhooks",
    prefixes: ["webhook-", "svix-"],
    algorithm: "hmac-sha256",
    secret: { format: "whsec", minBytes: 24, maxBytes: 75 },
    signature: {
      from: { header: "*signature" },
      syntax: {
        kind: "list",
        versions: { v1: "hmac-sha256", v1a: "ed25519" },
      },
      encoding: "base64",
    },
    signed: "{id}.{timestamp}.{body}",
    timestamp: {
      from: { header: "*timestamp" },
      unit: "s",
      windowSeconds: 300,
    },
    id: { from: { header: "*id" }, isSigned: true },
    type: { from: [{ pointer: "/type" }] },
    media: ["json"],
    onReplay: "acknowledge",
  },
  {
    name: "stripe",
    algorithm: "hmac-sha256",
    secret: { format: "text", minBytes: 1 },
    signature: {
      from: { header: "stripe-signature" },
      syntax: { kind: "pairs", separator: ",", key: "v1" },
      encoding: "hex",
    },
    signed: "{timestamp}.{body}",
    timestamp: { from: { pair: "t" }, unit: "s", windowSeconds: 300 },
    id: { from: { pointer: "/id" }, isSigned: true },
    type: { from: [{ pointer: "/type" }] },
    media: ["json"],
    onReplay: "acknowledge",
  },
  {
    name: "github",
    algorithm: "hmac-sha256",
    secret: { format: "text", minBytes: 1 },
    signature: {
      from: { header: "x-hub-signature-256" },
      syntax: { kind: "raw", prefix: "sha256=" },
      encoding: "hex",
    },
    signed: "{body}",
    timestamp: null,
    id: { from: { header: "x-github-delivery" }, isSigned: false },
    type: { from: [{ header: "x-github-event" }] },
    media: ["json", "form"],
    onReplay: "acknowledge",
  },
] as const satisfies readonly Scheme[];

/** Names of senders that use another scheme as it is. */
const ALIASES: Readonly<Record<string, string>> = {
  svix: "standard-webhooks",
  clerk: "standard-webhooks",
  resend: "standard-webhooks",
  openai: "standard-webhooks",
  brex: "standard-webhooks",
  replicate: "standard-webhooks",
};

export const SCHEMES: ReadonlyMap<string, Scheme> = new Map(
  TABLE.map((scheme): [string, Scheme] => [scheme.name, scheme]),
);

/** The schemes that HEX_SIGNATURE_SCHEME may name. */
export const HEX_SCHEME_NAMES = ["hex", "hex-body"] as const;

/** Names that `scheme` in the configuration may have, including aliases. */
export const SCHEME_NAMES: readonly string[] = [
  ...SCHEMES.keys(),
  ...Object.keys(ALIASES),
];

/** Returns a scheme by its name or alias. Throws TypeError for an unknown name. */
export function schemeOf(name: string): Scheme {
  const scheme = SCHEMES.get(
    Object.hasOwn(ALIASES, name) ? (ALIASES[name] ?? name) : name,
  );
  if (scheme === undefined) {
    throw new TypeError(`no signature scheme is named ${name}`);
  }
  return scheme;
}
