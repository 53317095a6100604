import type { AttemptSettings, Route } from "../domain/destination.ts";
import type { Source } from "../domain/source.ts";
import { outboundKey } from "../delivery/http/standard-webhooks.ts";
import type { DestinationEntry } from "./destination-entry.ts";
import { lineAt } from "./errors.ts";
import type { HeaderEntry } from "./header-entry.ts";
import type { HexEntry } from "./hex-entry.ts";

/** A header that is sent with each attempt. */
export interface DestinationHeader {
  /** In lower case. */
  readonly name: string;
  readonly value: string;
  /** Whether the value came from a reference. It is then never shown. */
  readonly isSecret: boolean;
}

export interface HttpDestinationConfig extends Route, AttemptSettings {
  readonly kind: "http";
  readonly url: string;
  /** The secret that signs attempts; null = attempts are not signed. */
  readonly secret: string | null;
  /** Headers besides those that Hexhook sets. */
  readonly headers?: readonly DestinationHeader[] | undefined;
  /** Maximum number of attempts in flight. */
  readonly concurrency: number;
  /** Whether the host name may resolve to a private address. */
  readonly allowPrivate: boolean;
}

export interface HandlerDestinationConfig extends Route, AttemptSettings {
  readonly kind: "handler";
  /** A key of the handlers module. */
  readonly handler: string;
  /** Maximum number of attempts in flight. */
  readonly concurrency: number;
}

export type DestinationConfig =
  HttpDestinationConfig | HandlerDestinationConfig;

/** The handlers module, and the sources whose events are delivered to those of its functions that no destination names. */
export interface HandlersConfig {
  /** Path of the module; null = the built-in one. */
  readonly file: string | null;
  /** Names of the sources. */
  readonly sources: readonly string[];
}

const HTTP_CONCURRENCY = 8;
export const HANDLER_CONCURRENCY = 64;
const EVERY_EVENT = Object.freeze(["*"]);
const HEX = Object.freeze(["hex"]);
const NO_SOURCES: readonly string[] = Object.freeze([]);

/** Returns the destinations of the file, in its order. Each has the sources that list it, or that have no list. */
export function fileDestinations(
  entries: ReadonlyMap<string, DestinationEntry>,
  hex: HexEntry,
  warnings: string[],
): DestinationConfig[] {
  return [...entries].map(([name, entry]) => {
    const listed = hex.destinations?.includes(name) ?? true;
    if (!listed) {
      const text = "is not listed by any source, so nothing is delivered to it";
      warnings.push(lineAt(["destinations", name], text));
    }
    return destinationOf(name, entry, listed ? HEX : NO_SOURCES);
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

/** Returns the destination `forward` if FORWARD_URL is set. */
export function forwardDestination(
  values: { FORWARD_URL: string | null; FORWARD_SECRET: string | null },
  warnings: string[],
): DestinationConfig[] {
  const { FORWARD_URL: url, FORWARD_SECRET: secret } = values;
  if (url === null) {
    if (secret !== null) {
      warnings.push(
        "FORWARD_SECRET: is ignored because FORWARD_URL is not set",
      );
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

/** A configured module gets every event. The built-in one gets events only if the source has no destination list. */
export function handlersOf(file: string | null, hex: HexEntry): HandlersConfig {
  const all = file !== null || hex.destinations === undefined;
  return Object.freeze({ file, sources: all ? HEX : NO_SOURCES });
}

/**
 * Returns an error for each destination whose secret or header contains the signing key of a source. A receiver of its
 * attempts could forge events with the key, and a message signed under one scheme could be valid under the other.
 */
export function sharedSecrets(
  destinations: readonly DestinationConfig[],
  source: Source,
): string[] {
  const text = `is also a signing secret of source ${source.name}; use separate secrets`;
  return destinations.flatMap((destination) => {
    if (destination.kind !== "http") {
      return [];
    }
    const path = ["destinations", destination.name];
    const errors = (destination.headers ?? [])
      .filter(({ value }) => containsKey(value, source))
      .map(({ name }) => lineAt([...path, "headers", name], text));
    if (destination.secret !== null && isKey(destination.secret, source)) {
      errors.push(
        destination.name === "forward"
          ? `FORWARD_SECRET: ${text}`
          : lineAt([...path, "secret"], text),
      );
    }
    return errors;
  });
}

function isKey(secret: string, source: Source): boolean {
  // The text is compared too: with `whsec_` it differs from the key, but each can be derived from the other.
  const keys = [outboundKey(secret), Buffer.from(secret, "utf8")];
  return source.secrets.some((signing) =>
    keys.some((key) => signing.key.equals(key)),
  );
}

/** Whether a header value contains a key, for example after `Bearer `. */
function containsKey(value: string, source: Source): boolean {
  const bytes = Buffer.from(value, "utf8");
  return source.secrets.some(({ key }) => bytes.includes(key));
}
