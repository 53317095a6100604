import type { Scheme } from "../domain/scheme.ts";

/** Headers of `hex`. */
const HEX_SIGNATURE = { header: "x-hex-signature" };

const BODY_ID_AND_TYPE = {
  id: { from: { pointer: "/id" }, isSigned: true, isRequired: true },
  type: { from: [{ pointer: "/type" }], isRequired: true },
} as const;

/** The minimum for secrets that Hexhook's own users choose. */
const CHOSEN = { format: "text", minBytes: 24 } as const;

/** A secret that the sender issues, or whose length the sender does not limit. */
const ISSUED = { format: "text", minBytes: 1 } as const;

/** What most senders have in common that sign the body and nothing else. */
const BODY_WITH_SHA256 = {
  algorithm: "hmac-sha256",
  secret: ISSUED,
  signed: "{body}",
  timestamp: null,
  media: ["json"],
  onReplay: "acknowledge",
} as const;

/** The whole value of a header is the signature. */
const HEX = { syntax: { kind: "raw" }, encoding: "hex" } as const;
const BASE64 = { syntax: { kind: "raw" }, encoding: "base64" } as const;
/** GitHub's form, which other senders adopted. */
const SHA256_HEX = {
  syntax: { kind: "raw", prefix: "sha256=" },
  encoding: "hex",
} as const;

/** The sender has no id, or one for each item of a batch. */
const NO_ID = { from: null, isSigned: true } as const;

/**
 * Every signature scheme. To add a sender, add an entry here, an entry for its page in docs/sources, and a signer in
 * test/support/senders. A sample in src/cli/samples is optional: without one, `send` makes a plain message with id and type.
 */
const TABLE = [
  {
    name: "hex",
    algorithm: "hmac-sha256",
    secret: CHOSEN,
    signature: { from: HEX_SIGNATURE, ...HEX },
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
    signature: { from: HEX_SIGNATURE, ...HEX },
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
    secret: ISSUED,
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
    secret: ISSUED,
    signature: { from: { header: "x-hub-signature-256" }, ...SHA256_HEX },
    signed: "{body}",
    timestamp: null,
    id: { from: { header: "x-github-delivery" }, isSigned: false },
    type: { from: [{ header: "x-github-event" }] },
    media: ["json", "form"],
    onReplay: "acknowledge",
  },
  {
    name: "slack",
    algorithm: "hmac-sha256",
    secret: ISSUED,
    signature: {
      from: { header: "x-slack-signature" },
      syntax: { kind: "raw", prefix: "v0=" },
      encoding: "hex",
    },
    signed: "v0:{timestamp}:{body}",
    timestamp: {
      from: { header: "x-slack-request-timestamp" },
      unit: "s",
      windowSeconds: 300,
    },
    // A slash command or an interaction is a form, without an id.
    id: { from: { pointer: "/event_id" }, isSigned: true },
    type: { from: [{ pointer: "/event/type" }, { pointer: "/type" }] },
    media: ["json", "form"],
    onReplay: "acknowledge",
    handshake: "slack",
  },
  {
    name: "shopify",
    prefixes: ["x-shopify-", "shopify-"],
    algorithm: "hmac-sha256",
    secret: ISSUED,
    signature: { from: { header: "*hmac-sha256" }, ...BASE64 },
    signed: "{body}",
    timestamp: null,
    id: { from: { header: "*webhook-id" }, isSigned: false },
    type: { from: [{ header: "*topic" }] },
    media: ["json"],
    onReplay: "acknowledge",
  },
  {
    name: "paddle",
    algorithm: "hmac-sha256",
    secret: ISSUED,
    signature: {
      from: { header: "paddle-signature" },
      syntax: { kind: "pairs", separator: ";", key: "h1" },
      encoding: "hex",
    },
    signed: "{timestamp}:{body}",
    timestamp: { from: { pair: "ts" }, unit: "s", windowSeconds: 300 },
    id: { from: { pointer: "/event_id" }, isSigned: true },
    type: { from: [{ pointer: "/event_type" }] },
    media: ["json"],
    onReplay: "acknowledge",
  },
  {
    name: "zoom",
    algorithm: "hmac-sha256",
    secret: ISSUED,
    signature: {
      from: { header: "x-zm-signature" },
      syntax: { kind: "raw", prefix: "v0=" },
      encoding: "hex",
    },
    signed: "v0:{timestamp}:{body}",
    timestamp: {
      from: { header: "x-zm-request-timestamp" },
      unit: "s",
      windowSeconds: 300,
    },
    id: NO_ID,
    type: { from: [{ pointer: "/event" }] },
    media: ["json"],
    onReplay: "acknowledge",
    handshake: "zoom",
  },
  {
    name: "twilio",
    algorithm: "hmac-sha1",
    secret: ISSUED,
    signature: { from: { header: "x-twilio-signature" }, ...BASE64 },
    signed: { rules: "twilio" },
    timestamp: null,
    // Each change of its status has the same SID.
    id: {
      from: { fields: ["MessageSid", "CallSid"] },
      isSigned: true,
      withDigest: true,
    },
    type: {
      from: [{ fields: ["MessageStatus", "SmsStatus", "CallStatus"] }],
    },
    media: ["form", "json"],
    onReplay: "acknowledge",
  },
  {
    name: "square",
    algorithm: "hmac-sha256",
    secret: ISSUED,
    signature: { from: { header: "x-square-hmacsha256-signature" }, ...BASE64 },
    signed: "{url}{body}",
    timestamp: null,
    id: { from: { pointer: "/event_id" }, isSigned: true },
    type: { from: [{ pointer: "/type" }] },
    media: ["json"],
    onReplay: "acknowledge",
  },
  {
    name: "discord",
    algorithm: "ed25519",
    secret: { format: "ed25519-hex", minBytes: 32 },
    signature: { from: { header: "x-signature-ed25519" }, ...HEX },
    signed: "{timestamp}{body}",
    timestamp: {
      from: { header: "x-signature-timestamp" },
      unit: "s",
      windowSeconds: 300,
    },
    // A webhook event has no id.
    id: { from: { pointer: "/id" }, isSigned: true },
    type: { from: [{ pointer: "/event/type" }] },
    media: ["json"],
    onReplay: "acknowledge",
    handshake: "discord",
  },
  {
    name: "linear",
    algorithm: "hmac-sha256",
    secret: ISSUED,
    signature: { from: { header: "linear-signature" }, ...HEX },
    signed: "{body}",
    // The header with a timestamp is not signed.
    timestamp: {
      from: { pointer: "/webhookTimestamp" },
      unit: "ms",
      windowSeconds: 60,
    },
    id: { from: { header: "linear-delivery" }, isSigned: false },
    type: { from: [{ pointer: "/type" }] },
    media: ["json"],
    onReplay: "acknowledge",
  },
  {
    name: "gitea",
    prefixes: ["x-gitea-", "x-forgejo-"],
    algorithm: "hmac-sha256",
    secret: ISSUED,
    signature: { from: { header: "*signature" }, ...HEX },
    signed: "{body}",
    timestamp: null,
    id: { from: { header: "*delivery" }, isSigned: false },
    type: { from: [{ header: "*event" }] },
    media: ["json"],
    onReplay: "acknowledge",
  },
  {
    name: "gitlab",
    algorithm: "token",
    secret: ISSUED,
    signature: {
      from: { header: "x-gitlab-token" },
      syntax: { kind: "raw" },
      encoding: "text",
    },
    signed: "{body}",
    timestamp: null,
    id: { from: { header: "x-gitlab-event-uuid" }, isSigned: false },
    type: { from: [{ header: "x-gitlab-event" }] },
    media: ["json"],
    onReplay: "acknowledge",
  },
  {
    ...BODY_WITH_SHA256,
    name: "pagerduty",
    signature: {
      from: { header: "x-pagerduty-signature" },
      syntax: { kind: "pairs", separator: ",", key: "v1" },
      encoding: "hex",
    },
    id: { from: { pointer: "/event/id" }, isSigned: true },
    type: { from: [{ pointer: "/event/event_type" }] },
  },
  {
    ...BODY_WITH_SHA256,
    name: "intercom",
    algorithm: "hmac-sha1",
    signature: {
      from: { header: "x-hub-signature" },
      syntax: { kind: "raw", prefix: "sha1=" },
      encoding: "hex",
    },
    id: { from: { pointer: "/id" }, isSigned: true },
    type: { from: [{ pointer: "/topic" }] },
    handshake: "intercom",
  },
  {
    name: "twitch",
    algorithm: "hmac-sha256",
    secret: { format: "text", minBytes: 10, maxBytes: 100 },
    signature: {
      from: { header: "twitch-eventsub-message-signature" },
      ...SHA256_HEX,
    },
    signed: "{id}{timestamp}{body}",
    timestamp: {
      from: { header: "twitch-eventsub-message-timestamp" },
      unit: "rfc3339",
      windowSeconds: 600,
    },
    id: { from: { header: "twitch-eventsub-message-id" }, isSigned: true },
    type: { from: [{ header: "twitch-eventsub-message-type" }] },
    media: ["json"],
    onReplay: "acknowledge",
    handshake: "twitch",
  },
  {
    ...BODY_WITH_SHA256,
    name: "typeform",
    signature: {
      from: { header: "typeform-signature" },
      syntax: { kind: "raw", prefix: "sha256=" },
      encoding: "base64",
    },
    id: { from: { pointer: "/event_id" }, isSigned: true },
    type: { from: [{ pointer: "/event_type" }] },
  },
  {
    ...BODY_WITH_SHA256,
    name: "line",
    signature: { from: { header: "x-line-signature" }, ...BASE64 },
    id: NO_ID,
    // A body is a list of events of any types, or an empty list.
    type: { from: [] },
  },
  {
    ...BODY_WITH_SHA256,
    name: "vercel",
    algorithm: "hmac-sha1",
    signature: { from: { header: "x-vercel-signature" }, ...HEX },
    id: { from: { pointer: "/id" }, isSigned: true },
    type: { from: [{ pointer: "/type" }] },
  },
  {
    name: "webflow",
    algorithm: "hmac-sha256",
    secret: ISSUED,
    signature: { from: { header: "x-webflow-signature" }, ...HEX },
    signed: "{timestamp}:{body}",
    timestamp: {
      from: { header: "x-webflow-timestamp" },
      unit: "ms",
      windowSeconds: 300,
    },
    id: NO_ID,
    type: { from: [{ pointer: "/triggerType" }] },
    media: ["json"],
    onReplay: "acknowledge",
  },
  {
    ...BODY_WITH_SHA256,
    name: "woocommerce",
    signature: { from: { header: "x-wc-webhook-signature" }, ...BASE64 },
    // Two deliveries within one second can have the same id.
    id: {
      from: { header: "x-wc-webhook-delivery-id" },
      isSigned: false,
      withDigest: true,
    },
    type: { from: [{ header: "x-wc-webhook-topic" }] },
    handshake: "woocommerce",
  },
  {
    ...BODY_WITH_SHA256,
    name: "meta",
    signature: { from: { header: "x-hub-signature-256" }, ...SHA256_HEX },
    id: NO_ID,
    type: { from: [{ pointer: "/entry/0/changes/0/field" }] },
    handshake: "meta",
  },
  {
    ...BODY_WITH_SHA256,
    name: "jira",
    signature: { from: { header: "x-hub-signature" }, ...SHA256_HEX },
    // The same for all attempts.
    id: {
      from: { header: "x-atlassian-webhook-identifier" },
      isSigned: false,
    },
    type: { from: [{ pointer: "/webhookEvent" }] },
  },
  {
    ...BODY_WITH_SHA256,
    name: "bitbucket",
    signature: { from: { header: "x-hub-signature" }, ...SHA256_HEX },
    // Of Bitbucket Cloud and of Bitbucket Data Center.
    id: {
      from: { headers: ["x-request-uuid", "x-request-id"] },
      isSigned: false,
    },
    type: { from: [{ header: "x-event-key" }] },
  },
  {
    ...BODY_WITH_SHA256,
    name: "notion",
    signature: { from: { header: "x-notion-signature" }, ...SHA256_HEX },
    id: { from: { pointer: "/id" }, isSigned: true },
    type: { from: [{ pointer: "/type" }] },
    handshake: "notion",
  },
  {
    ...BODY_WITH_SHA256,
    name: "sentry",
    signature: { from: { header: "sentry-hook-signature" }, ...HEX },
    id: { from: { header: "request-id" }, isSigned: false },
    type: { from: [{ header: "sentry-hook-resource" }] },
  },
  {
    name: "calendly",
    algorithm: "hmac-sha256",
    secret: ISSUED,
    signature: {
      from: { header: "calendly-webhook-signature" },
      syntax: { kind: "pairs", separator: ",", key: "v1" },
      encoding: "hex",
    },
    signed: "{timestamp}.{body}",
    timestamp: { from: { pair: "t" }, unit: "s", windowSeconds: 300 },
    id: NO_ID,
    type: { from: [{ pointer: "/event" }] },
    media: ["json"],
    onReplay: "acknowledge",
  },
  {
    name: "hubspot",
    algorithm: "hmac-sha256",
    secret: ISSUED,
    signature: { from: { header: "x-hubspot-signature-v3" }, ...BASE64 },
    signed: "{method}{decoded_url}{body}{timestamp}",
    timestamp: {
      from: { header: "x-hubspot-request-timestamp" },
      unit: "ms",
      windowSeconds: 300,
    },
    id: NO_ID,
    type: { from: [{ pointer: "/0/subscriptionType" }] },
    media: ["json"],
    onReplay: "acknowledge",
  },
  {
    ...BODY_WITH_SHA256,
    name: "docusign",
    // One header for each active key of the account.
    signature: {
      from: {
        headers: Array.from(
          { length: 100 },
          (_, index) => `x-docusign-signature-${index + 1}`,
        ),
      },
      ...BASE64,
    },
    id: NO_ID,
    type: { from: [{ pointer: "/event" }] },
  },
  {
    name: "box",
    algorithm: "hmac-sha256",
    secret: ISSUED,
    signature: {
      from: { headers: ["box-signature-primary", "box-signature-secondary"] },
      ...BASE64,
    },
    signed: "{body}{timestamp}",
    timestamp: {
      from: { header: "box-delivery-timestamp" },
      unit: "rfc3339",
      windowSeconds: 600,
    },
    id: { from: { header: "box-delivery-id" }, isSigned: false },
    type: { from: [{ pointer: "/trigger" }] },
    media: ["json"],
    onReplay: "acknowledge",
  },
  {
    ...BODY_WITH_SHA256,
    name: "razorpay",
    signature: { from: { header: "x-razorpay-signature" }, ...HEX },
    id: { from: { header: "x-razorpay-event-id" }, isSigned: false },
    type: { from: [{ pointer: "/event" }] },
  },
  {
    name: "workos",
    algorithm: "hmac-sha256",
    secret: ISSUED,
    signature: {
      from: { header: "workos-signature" },
      syntax: { kind: "pairs", separator: ",", key: "v1" },
      encoding: "hex",
    },
    signed: "{timestamp}.{body}",
    timestamp: { from: { pair: "t" }, unit: "ms", windowSeconds: 300 },
    id: { from: { pointer: "/id" }, isSigned: true },
    type: { from: [{ pointer: "/event" }] },
    media: ["json"],
    onReplay: "acknowledge",
  },
  {
    ...BODY_WITH_SHA256,
    name: "xero",
    signature: { from: { header: "x-xero-signature" }, ...BASE64 },
    id: NO_ID,
    // A body is a list of events of any types, or an empty list.
    type: { from: [] },
    wantsEmptyResponses: true,
  },
  {
    name: "sendgrid",
    algorithm: "ecdsa-p256",
    secret: { format: "spki", minBytes: 1 },
    signature: {
      from: { header: "x-twilio-email-event-webhook-signature" },
      ...BASE64,
    },
    signed: "{timestamp}{body}",
    timestamp: {
      from: { header: "x-twilio-email-event-webhook-timestamp" },
      unit: "s",
      windowSeconds: 300,
    },
    id: NO_ID,
    type: { from: [{ pointer: "/0/event" }] },
    media: ["json"],
    onReplay: "acknowledge",
  },
  {
    name: "mailgun",
    algorithm: "hmac-sha256",
    secret: ISSUED,
    signature: { from: { pointer: "/signature/signature" }, ...HEX },
    // The signature covers only these two members. A client that captures them can send them with any event, within the window.
    signed: "{timestamp}{id}",
    timestamp: {
      from: { pointer: "/signature/timestamp" },
      unit: "s",
      windowSeconds: 300,
    },
    id: { from: { pointer: "/signature/token" }, isSigned: true },
    type: { from: [{ pointer: "/event-data/event" }] },
    media: ["json"],
    onReplay: "acknowledge",
    maxBodyBytes: 262_144,
  },
  {
    ...BODY_WITH_SHA256,
    name: "gocardless",
    signature: { from: { header: "webhook-signature" }, ...HEX },
    id: NO_ID,
    // A body is a list of events of any types.
    type: { from: [] },
  },
  {
    ...BODY_WITH_SHA256,
    name: "coinbase-commerce",
    signature: { from: { header: "x-cc-webhook-signature" }, ...HEX },
    id: { from: { pointer: "/event/id" }, isSigned: true },
    type: { from: [{ pointer: "/event/type" }] },
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

/** Schemes that the settings of a source describe. custom-scheme.ts builds them. */
export const CONFIGURED_SCHEME_NAMES = ["custom", "token"] as const;

/** Names that `scheme` in the configuration may have, including aliases. */
export const SCHEME_NAMES: readonly string[] = [
  ...SCHEMES.keys(),
  ...Object.keys(ALIASES),
  ...CONFIGURED_SCHEME_NAMES,
];

/** Returns a scheme by its name or alias. Throws TypeError for an unknown name, and for one that needs settings. */
export function schemeOf(name: string): Scheme {
  const scheme = SCHEMES.get(
    Object.hasOwn(ALIASES, name) ? (ALIASES[name] ?? name) : name,
  );
  if (scheme === undefined) {
    throw new TypeError(`no signature scheme is named ${name}`);
  }
  return scheme;
}
