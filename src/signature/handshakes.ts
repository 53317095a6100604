import { hash as digest, timingSafeEqual } from "node:crypto";
import type { HandshakeName, MediaType, Scheme } from "../domain/scheme.ts";
import type { SigningSecret, Source } from "../domain/source.ts";
import {
  memberName,
  readAt,
  readMembers,
  type Scalar,
} from "../json/read-members.ts";
import { macOf } from "./mac.ts";
import type { SignedMessage } from "./message.ts";

/** The response that a provider's handshake asks for. */
export interface HandshakeResponse {
  readonly status: 200 | 204;
  /** Null: no body, and no Content-Type. */
  readonly contentType: "text/plain" | "application/json" | null;
  readonly body: string;
}

/** What to do with a message that is a handshake: respond to it, or reject it for a reason. */
export type HandshakeOutcome =
  { readonly response: HandshakeResponse } | { readonly reason: string };

/** An outcome before the signature is verified. `keyId`: the message repeated the token with this key id. */
export type UnsignedOutcome = HandshakeOutcome & { readonly keyId?: string };

/** The handshake of a provider, which checks that the endpoint works. Nothing of it is stored. */
interface Handshake {
  /** The methods besides POST, which are never signed. */
  readonly methods?: readonly string[];
  /** The media types of handshakes besides those of the scheme. */
  readonly media?: readonly MediaType[];
  /** Null: the message must be verified. Never null for `methods`. */
  readonly unsigned?: (
    source: Source,
    message: SignedMessage,
  ) => UnsignedOutcome | null;
  /** For a message that is verified by this secret. Null: it is an event. */
  readonly verified?: (
    message: SignedMessage,
    secret: SigningSecret,
  ) => HandshakeOutcome | null;
}

const EMPTY: HandshakeOutcome = {
  response: { status: 200, contentType: null, body: "" },
};
/** Discord requires the Content-Type. */
const NO_CONTENT: HandshakeOutcome = {
  response: { status: 204, contentType: "application/json", body: "" },
};
const MALFORMED: HandshakeOutcome = { reason: "malformed_handshake" };

/** A text that is echoed. Challenges are random letters and digits. */
const CHALLENGE = /^[\x21-\x7e]{1,256}$/;
/** A text that is signed with the secret. It has no colon, so it cannot be the signed bytes of a message. */
const ZOOM_TOKEN = /^[\w+/=-]{1,256}$/;

/** Maximum size of an unsigned message that is read, in bytes. */
const MAX_UNSIGNED_BYTES = 1024;

const HANDSHAKES: Readonly<Record<HandshakeName, Handshake>> = {
  // https://api.slack.com/events/url_verification
  slack: {
    verified: (message) => {
      const { type, challenge } = membersOf(message, "type", "challenge");
      return type === "url_verification" ? echo(challenge) : null;
    },
  },
  // https://developers.zoom.us/docs/api/webhooks/#validate-your-webhook-endpoint
  zoom: {
    verified: (message, { key }) => {
      if (membersOf(message, "event").event !== "endpoint.url_validation") {
        return null;
      }
      const plainToken = readAt(message.body, ["payload", "plainToken"]);
      if (typeof plainToken !== "string" || !ZOOM_TOKEN.test(plainToken)) {
        return MALFORMED;
      }
      const mac = macOf("hmac-sha256", key, [plainToken]);
      return respondJson({ plainToken, encryptedToken: mac.toString("hex") });
    },
  },
  // https://docs.discord.com/developers/events/webhook-events
  // https://docs.discord.com/developers/interactions/overview
  discord: {
    verified: (message) => {
      const { type } = membersOf(message, "type");
      if (type === 0) {
        return NO_CONTENT;
      }
      if (typeof type !== "number" || isDiscordEvent(message)) {
        return null;
      }
      // Other interactions need a response of the application.
      return type === 1 ? respondJson({ type }) : { reason: "interaction" };
    },
  },
  // https://dev.twitch.tv/docs/eventsub/handling-webhook-events
  twitch: {
    // The header with the kind of the message is not signed. Only a verification has a challenge.
    verified: (message) => {
      const { challenge } = membersOf(message, "challenge");
      return challenge === undefined ? null : echo(challenge);
    },
  },
  // https://developers.facebook.com/docs/graph-api/webhooks/getting-started
  meta: {
    methods: ["GET"],
    unsigned: ({ verifyToken }, { method, url }) =>
      method === "GET" ? respondToMeta(verifyToken, url) : null,
  },
  // https://developers.intercom.com/docs/webhooks/setting-up-webhooks
  intercom: {
    methods: ["HEAD"],
    unsigned: (_source, { method }) => (method === "HEAD" ? EMPTY : null),
  },
  // WC_Webhook::deliver_ping() in the source code of WooCommerce
  woocommerce: {
    media: ["form"],
    unsigned: (_source, { body }) =>
      body.length <= MAX_UNSIGNED_BYTES &&
      /^webhook_id=\d+$/.test(body.toString("latin1"))
        ? EMPTY
        : null,
  },
  // https://developers.notion.com/reference/webhooks
  notion: {
    unsigned: (_source, message) =>
      notionToken(message) === null ? null : EMPTY,
  },
};

/** Returns the methods that a source of the scheme accepts, as `Allow` lists them. */
export function methodsOf({ handshake }: Scheme): readonly string[] {
  return [...(handshakeNamed(handshake)?.methods ?? []), "POST"];
}

/** Returns the media types that a source of the scheme accepts. */
export function mediaOf({ handshake, media }: Scheme): readonly MediaType[] {
  return [...media, ...(handshakeNamed(handshake)?.media ?? [])];
}

/**
 * Returns how to respond to a handshake that is not signed; null if the message must be verified. Only these messages are read
 * before they are verified, and nothing of them is kept.
 */
export function unsignedHandshake(
  source: Source,
  message: SignedMessage,
): UnsignedOutcome | null {
  const handshake = handshakeNamed(source.scheme.handshake);
  return handshake?.unsigned?.(source, message) ?? null;
}

/** Returns how to respond to a verified message that is a handshake; null if it is an event. */
export function verifiedHandshake(
  { scheme, secrets }: Source,
  message: SignedMessage,
  keyId: string,
): HandshakeOutcome | null {
  const { verified } = handshakeNamed(scheme.handshake) ?? {};
  const secret = secrets.find((one) => one.keyId === keyId);
  return verified === undefined || secret === undefined
    ? null
    : verified(message, secret);
}

/**
 * Returns the verification token in a message of Notion; null if it is another message. The token is the signing secret, so it
 * must not be recorded.
 */
export function notionToken(message: SignedMessage): string | null {
  if (message.body.length > MAX_UNSIGNED_BYTES) {
    return null;
  }
  const { verification_token: token, ...others } = membersOf(
    message,
    "verification_token",
    "id",
    "type",
  );
  return typeof token === "string" &&
    Object.values(others).every((value) => value === undefined)
    ? token
    : null;
}

function handshakeNamed(name: HandshakeName | undefined): Handshake | null {
  return name === undefined ? null : HANDSHAKES[name];
}

function respondToMeta(
  verifyToken: SigningSecret | null,
  url: string,
): UnsignedOutcome {
  if (verifyToken === null) {
    return { reason: "no_verify_token" };
  }
  const query = new URL(url, "http://localhost").searchParams;
  if (!isSame(query.get("hub.verify_token") ?? "", verifyToken.text)) {
    return { reason: "bad_verify_token" };
  }
  const { keyId } = verifyToken;
  return query.get("hub.mode") === "subscribe"
    ? { ...echo(query.get("hub.challenge")), keyId }
    : { ...MALFORMED, keyId };
}

function isDiscordEvent({ body }: SignedMessage): boolean {
  return readAt(body, ["event", "type"]) !== undefined;
}

/**
 * Returns the scalars of the named members of a JSON object. All are undefined if the body is not a JSON object. The Content-Type
 * is not signed, so it does not decide.
 */
function membersOf<Name extends string>(
  message: SignedMessage,
  ...names: readonly Name[]
): Readonly<Record<Name, Scalar | undefined>> {
  const values = readMembers(message.body, names.map(memberName));
  return Object.fromEntries(
    names.map((name, n) => [name, values?.[n]]),
  ) as Readonly<Record<Name, Scalar | undefined>>;
}

function echo(challenge: Scalar | undefined): HandshakeOutcome {
  return typeof challenge === "string" && CHALLENGE.test(challenge)
    ? { response: { status: 200, contentType: "text/plain", body: challenge } }
    : MALFORMED;
}

function respondJson(value: object): HandshakeOutcome {
  const body = JSON.stringify(value);
  return { response: { status: 200, contentType: "application/json", body } };
}

/** Compares two texts in a time that does not depend on their characters. */
function isSame(one: string, other: string): boolean {
  return timingSafeEqual(
    digest("sha256", one, "buffer"),
    digest("sha256", other, "buffer"),
  );
}
