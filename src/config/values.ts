import type { StoreUrl } from "../store/url.ts";
import type { KeyObject } from "node:crypto";
import { isIP } from "node:net";
import { z } from "zod";
import { readPrivateKey } from "../audit/checkpoint.ts";
import type { RateLimit } from "../domain/destination.ts";
import { isScope } from "../hex-api/scopes.ts";
import {
  adminTokenError,
  headerSecretError,
  headerValueSecretError,
  outboundSecretError,
  signingSecretError,
} from "./secret.ts";
import { withJson } from "./json-schema.ts";
import { parseStoreUrl } from "./store-url.ts";

/** Schemas of the values of variables. Each parses text. */

/** `pattern`: what the text looks like, for the values that the configuration file has too. */
function parsed<T>(
  parse: (text: string) => T | undefined,
  error: string,
  pattern?: RegExp,
): z.ZodType<T, string> {
  const schema = z.string(error).transform((text, context) => {
    const value = parse(text);
    if (value === undefined) {
      context.addIssue(error);
      return z.NEVER;
    }
    return value;
  });
  return pattern === undefined
    ? schema
    : withJson(schema, () => ({ type: "string", pattern: pattern.source }));
}

/** The maximum of MAX_BODY_BYTES and of `maxBodyBytes` in the file. */
export const MAX_BODY_BYTES = 26_214_400;

/** A decimal integer from `min` to `max`. */
export function integer(min: number, max: number): z.ZodType<number, string> {
  return parsed((text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    return value >= min && value <= max ? value : undefined;
  }, `must be a whole number from ${min} to ${max}`);
}

export function oneOf<const T extends readonly string[]>(
  choices: T,
): z.ZodType<T[number], string> {
  const schema = parsed<T[number]>(
    (text) => choices.find((choice) => choice === text),
    `must be one of ${choices.join(", ")}`,
  );
  return withJson(schema, () => ({ enum: choices }));
}

export const text: z.ZodType<string, string> = z.string();

function secretWithout(
  error: (value: string) => string | null,
): z.ZodType<string, string> {
  return z.string().superRefine((value, context) => {
    const found = error(value);
    if (found !== null) {
      context.addIssue(found);
    }
  });
}

/** A secret that senders sign requests with. */
export const signingSecret = secretWithout(signingSecretError);

/** A secret that attempts on a destination are signed with. */
export const outboundSecret = secretWithout(outboundSecretError);

/** The bearer token of the management API. */
export const adminToken = secretWithout(adminTokenError);

/** A secret that is the whole value of a header, such as `Bearer …`. */
export const headerValueSecret = secretWithout(headerValueSecretError);

/** A key of the Hex API. */
export const apiKey = secretWithout(headerSecretError);

/** Scopes of Hex API keys, without duplicates. */
export const scopes: z.ZodType<readonly string[], string> = parsed((value) => {
  const list = value.split(",").map((item) => item.trim());
  return list.every(isScope) ? Object.freeze([...new Set(list)]) : undefined;
}, "must be a list of scopes such as read:health,write:audit");

/** The key that signs checkpoints of the audit trail. */
export const auditSigningKey: z.ZodType<KeyObject, string> = parsed(
  (pem) => readPrivateKey(pem) ?? undefined,
  "must be an Ed25519 private key in PEM format, without a passphrase; make one with `openssl genpkey -algorithm ed25519`. To use a file, set AUDIT_SIGNING_KEY_FILE",
);

/** An ISO date (the start of the day in UTC) or an ISO date and time, parsed to Unix milliseconds. */
export const isoDate: z.ZodType<number, string> = withJson(
  z
    .union([z.iso.date(), z.iso.datetime({ offset: true })], {
      error: "must be an ISO date such as 2026-11-30 or 2026-11-30T18:00:00Z",
    })
    .transform((value) => Date.parse(value)),
  () => ({ type: "string", pattern: DATE.source }),
);

const DATE =
  /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))?$/;

/** Parses an http or https URL without a user name or password; undefined for anything else. */
function parseHttpUrl(value: string): URL | undefined {
  if (!URL.canParse(value)) {
    return undefined;
  }
  const url = new URL(value);
  const plain = url.username === "" && url.password === "";
  return /^https?:$/.test(url.protocol) && plain ? url : undefined;
}

export const httpUrl: z.ZodType<string, string> = parsed(
  (value) => parseHttpUrl(value)?.href,
  "must be an http:// or https:// URL without a user name or password",
  /^[hH][tT][tT][pP][sS]?:/,
);

/** An http or https URL that a path is appended to, without a query, a fragment or a final slash. */
export const baseUrl: z.ZodType<string, string> = parsed((value) => {
  // An empty query or fragment is visible only in the text.
  const href = /[?#]/.test(value) ? undefined : parseHttpUrl(value)?.href;
  return href?.replace(/\/+$/, "");
}, "must be an http:// or https:// URL without a user name, password, query or fragment; /webhooks/NAME is appended to it");

const CALLED_URL =
  "must be the http:// or https:// URL that the sender calls, without a user name, password, query or fragment";

/** The URL that a sender calls, exactly as the sender writes it: the text is signed. A query is appended from the request. */
export const calledUrl: z.ZodType<string, string> = parsed(
  (value) =>
    /^https?:\/\/[!-~]+$/i.test(value) &&
    !/[?#\\]/.test(value) &&
    parseHttpUrl(value) !== undefined
      ? value
      : undefined,
  CALLED_URL,
  /^[hH][tT][tT][pP][sS]?:\/\/[^?#\\]+$/,
);

const MEDIA_TYPE =
  /^[a-z0-9][a-z0-9!#$&^_.+-]{0,63}\/(?:\*|[a-z0-9][a-z0-9!#$&^_.+-]{0,63})$/;

/** A media type without parameters, or `type/*`. */
export const mediaType: z.ZodType<string, string> = parsed(
  (value) => (MEDIA_TYPE.test(value) ? value : undefined),
  "must be a media type in lower case without parameters, such as application/json or text/*",
  MEDIA_TYPE,
);

/** An address or a network. */
export const networkAddress: z.ZodType<string, string> = parsed(
  (value) => (isNetwork(value) && !value.includes("%") ? value : undefined),
  "must be an IP address or a network, such as 192.0.2.1, 10.0.0.0/8 or 2001:db8::/32",
  /^[\da-fA-F.:]+(?:\/\d{1,3})?$/,
);

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

const MAX_REPLAY_WINDOW_MS = 900_000;

/** The longest delay of a timer in Node. */
const MAX_DURATION_MS = 2 ** 31 - 1;

/** A time, or one in white space. */
const DURATION = /^\s*\d{1,10}(?:ms|s|m|h)\s*$/;

function parseDuration(value: string): number | undefined {
  return parseDurationWithin(value, 1, MAX_DURATION_MS);
}

function parseDurationWithin(
  value: string,
  min: number,
  max: number,
): number | undefined {
  const match = /^(\d{1,10})(ms|s|m|h)$/.exec(value.trim());
  const milliseconds =
    Number(match?.[1]) * (UNITS[match?.[2] ?? ""] ?? Number.NaN);
  return milliseconds >= min && milliseconds <= max ? milliseconds : undefined;
}

/** A time such as `10s`, parsed to milliseconds. */
export const duration: z.ZodType<number, string> = parsed(
  parseDuration,
  "must be a time greater than 0, such as 500ms, 10s, 2m or 1h",
);

/** A time from `min` to `max`, parsed to milliseconds. The limits are written as times too, such as `1h`. */
export function durationWithin(
  min: string,
  max: string,
): z.ZodType<number, string> {
  const bound = (text: string): number =>
    parseDurationWithin(text, 1, Number.POSITIVE_INFINITY) ?? Number.NaN;
  return parsed(
    (text) => parseDurationWithin(text, bound(min), bound(max)),
    `must be a time from ${min} to ${max}, in ms, s, m or h, such as ${max}`,
    DURATION,
  );
}

/** A replay window, parsed to milliseconds. */
export const wholeSeconds: z.ZodType<number, string> = parsed(
  (text) => {
    const ms = parseDurationWithin(text, 1000, MAX_REPLAY_WINDOW_MS);
    return ms !== undefined && ms % 1000 === 0 ? ms : undefined;
  },
  "must be a time from 1s to 15m in whole seconds, such as 90s or 10m",
  DURATION,
);

/** A list of times, parsed to milliseconds. */
export const durations: z.ZodType<readonly number[], string> = parsed(
  (value) => {
    const list = value.split(",").map(parseDuration);
    return list.every((item) => item !== undefined)
      ? Object.freeze(list)
      : undefined;
  },
  "must be a list of times greater than 0, such as 5s,30s,2m,1h",
  /^\s*\d{1,10}(?:ms|s|m|h)\s*(?:,\s*\d{1,10}(?:ms|s|m|h)\s*)*$/,
);

const MAX_RATE = 10_000;

/** A number of attempts per second, minute or hour, such as `20/s`. */
export const rateLimit: z.ZodType<RateLimit, string> = parsed(
  (value) => {
    const match = /^(\d{1,5})\/(s|m|h)$/.exec(value.trim());
    const attempts = Number(match?.[1]);
    const perMs = UNITS[match?.[2] ?? ""] ?? Number.NaN;
    return attempts >= 1 && attempts <= MAX_RATE
      ? Object.freeze({ attempts, perMs })
      : undefined;
  },
  `must be a rate such as 20/s, 100/m or 500/h: 1 to ${MAX_RATE} in a second, minute or hour`,
  /^\s*\d{1,5}\/[smh]\s*$/,
);

const MAX_HOPS = 32;

/** A number of proxies, or a list of addresses and networks. */
export const trustProxy: z.ZodType<number | readonly string[], string> = parsed<
  number | readonly string[]
>((value) => {
  if (/^\d{1,2}$/.test(value)) {
    return Number(value) <= MAX_HOPS ? Number(value) : undefined;
  }
  const list = value.split(",").map((item) => item.trim());
  return list.every(isNetwork) ? Object.freeze(list) : undefined;
}, `must be a number of proxies (0 to ${MAX_HOPS}) or a list of their addresses and networks, such as 10.0.0.0/8,::1`);

function isNetwork(value: string): boolean {
  const [address = "", bits, ...rest] = value.split("/");
  const version = isIP(address);
  if (version === 0 || rest.length > 0) {
    return false;
  }
  return (
    bits === undefined ||
    (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128))
  );
}

/** The URL of a store. The certificate that a PostgreSQL URL names is read too. */
export const storeUrl: z.ZodType<StoreUrl, string> = z
  .string()
  .transform((value, context) => {
    const url = parseStoreUrl(value);
    if ("error" in url) {
      context.addIssue(url.error);
      return z.NEVER;
    }
    return url;
  });
