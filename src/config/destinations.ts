import type { AttemptSettings, Route } from "../domain/destination.ts";
import type { Source } from "../domain/source.ts";
import { outboundKey } from "../delivery/http/standard-webhooks.ts";
import type { DestinationEntry } from "./destination-entry.ts";
import { lineAt } from "./errors.ts";
import type { HeaderEntry } from "./header-entry.ts";
import type { HexEntry } from "./hex-entry.ts";

/** A header that each attempt on a destination has. */
export interface DestinationHeader {
  /** In lower case. */
  readonly name: string;
  readonly value: string;
  /** Whether the value came by a reference, and is never shown. */
  readonly isSecret: boolean;
}

export interface HttpDestinationConfig extends Route, AttemptSettings {
  readonly kind: "http";
  readonly url: string;
  /** What attempts are signed with; null = they are not signed. */
  readonly secret: string | null;
  /** What each attempt has besides the headers that Hexhook sets; left out: none. */
  readonly headers?: readonly DestinationHeader[] | undefined;
  /** Attempts that may be under way at once. */
  readonly concurrency: number;
  /** Whether its name may lead to a private address. */
  readonly allowPrivate: boolean;
}

export interface HandlerDestinationConfig extends Route, AttemptSettings {
  readonly kind: "handler";
  /** A key of the handlers module. */
  readonly handler: string;
  /** Attempts that may be under way at once. */
  readonly concurrency: number;
}

export type DestinationConfig =
  HttpDestinationConfig | HandlerDestinationConfig;

/** Which functions of a handlers module run without a destination of their own in the file. */
export interface HandlersConfig {
  /** Path of the module; null = the built-in one. */
  readonly file: string | null;
  /** Names of the sources whose events they get. */
  readonly sources: readonly string[];
}

const HTTP_CONCURRENCY = 8;
export const HANDLER_CONCURRENCY = 64;
const EVERY_EVENT = Object.freeze(["*"]);
const HEX = Object.freeze(["hex"]);
const NOBODY: readonly string[] = Object.freeze([]);

/** The destinations of the file, in its order, each for the sources that list it or that list none. */
export function fileDestinations(
  entries: ReadonlyMap<string, DestinationEntry>,
  hex: HexEntry,
  warnings: string[],
): DestinationConfig[] {
  return [...entries].map(([name, entry]) => {
    const listed = hex.destinations?.includes(name) ?? true;
    if (!listed) {
      const text = "no source lists it; nothing is delivered to it";
      warnings.push(lineAt(["destinations", name], text));
    }
    return destinationOf(name, entry, listed ? HEX : NOBODY);
  });
}

function destinationOf(
  name: string,
  entry: DestinationEntry,
  sources: readonly string[],
): DestinationConfig {
  const common: Route & AttemptSettings = {
    name,
    sources,
    events: Object.freeze(entry.events ?? EVERY_EVENT),
    orderBy: entry.orderBy ?? null,
    retryScheduleMs: entry.retrySchedule,
    attemptTimeoutMs: entry.timeout,
    rateLimit: entry.rateLimit,
    maxAgeMs: entry.maxAge,
  };
  return Object.freeze(
    entry.handler === undefined
      ? {
          ...common,
          kind: "http",
          url: entry.url,
          secret: entry.secret?.value ?? null,
          headers: headersOf(entry.headers),
          concurrency: entry.concurrency ?? HTTP_CONCURRENCY,
          allowPrivate: entry.allowPrivate ?? true,
        }
      : {
          ...common,
          kind: "handler",
          handler: entry.handler,
          concurrency: entry.concurrency ?? HANDLER_CONCURRENCY,
        },
  );
}

function headersOf(
  entries: readonly HeaderEntry[] | undefined,
): readonly DestinationHeader[] | undefined {
  return entries === undefined
    ? undefined
    : Object.freeze(
        entries.map(({ name, value, secret }) =>
          Object.freeze({ name, value, isSecret: secret !== null }),
        ),
      );
}

/** The destination `forward`, which FORWARD_URL makes, if it is set. */
export function forwardDestination(
  values: { FORWARD_URL: string | null; FORWARD_SECRET: string | null },
  warnings: string[],
): DestinationConfig[] {
  const { FORWARD_URL: url, FORWARD_SECRET: secret } = values;
  if (url === null) {
    if (secret !== null) {
      warnings.push("FORWARD_SECRET: is set, but FORWARD_URL is not; ignored");
    }
    return [];
  }
  const forward: HttpDestinationConfig = {
    kind: "http",
    name: "forward",
    sources: HEX,
    events: EVERY_EVENT,
    orderBy: null,
    url,
    secret,
    concurrency: HTTP_CONCURRENCY,
    allowPrivate: true,
  };
  return [Object.freeze(forward)];
}

/** A module that is asked for gets every event; the built-in one steps aside where a list says where events go. */
export function handlersOf(file: string | null, hex: HexEntry): HandlersConfig {
  const all = file !== null || hex.destinations === undefined;
  return Object.freeze({ file, sources: all ? HEX : NOBODY });
}

/**
 * A error for each destination that signs with the key of a source, or gets it in a header: any receiver of its attempts
 * could then forge events, and a message signed under one scheme could pass under the other.
 */
export function sharedSecrets(
  destinations: readonly DestinationConfig[],
  source: Source,
): string[] {
  const text = `is a signing secret of ${source.name} too; give each its own`;
  return destinations.flatMap((one) => {
    if (one.kind !== "http") {
      return [];
    }
    const path = ["destinations", one.name];
    const errors = (one.headers ?? [])
      .filter(({ value }) => holdsKey(value, source))
      .map(({ name }) => lineAt([...path, "headers", name], text));
    if (one.secret !== null && isKey(one.secret, source)) {
      errors.push(
        one.name === "forward"
          ? `FORWARD_SECRET: ${text}`
          : lineAt([...path, "secret"], text),
      );
    }
    return errors;
  });
}

function isKey(secret: string, source: Source): boolean {
  // As a text too: behind `whsec_` the key is another, but who has the one can make the other.
  const keys = [outboundKey(secret), Buffer.from(secret, "utf8")];
  return source.secrets.some((known) =>
    keys.some((key) => known.key.equals(key)),
  );
}

/** Also after `Bearer `, or in another such text. */
function holdsKey(value: string, source: Source): boolean {
  const bytes = Buffer.from(value, "utf8");
  return source.secrets.some(({ key }) => bytes.includes(key));
}
