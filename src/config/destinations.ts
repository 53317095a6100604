import type { AttemptSettings, Route } from "../domain/destination.ts";
import type { DestinationEntry } from "./destination-entry.ts";
import { lineAt } from "./errors.ts";
import type { HeaderEntry } from "./header-entry.ts";
import type { SourceEntry } from "./source-entry.ts";

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

/** Returns the destinations of the file, in its order. Each has the sources that list it, or that have no list. */
export function fileDestinations(
  entries: ReadonlyMap<string, DestinationEntry>,
  sources: readonly SourceEntry[],
  warnings: string[],
): DestinationConfig[] {
  return [...entries].map(([name, entry]) => {
    const listing = sources.filter(
      ({ settings }) => settings.destinations?.includes(name) ?? true,
    );
    if (listing.length === 0) {
      const text = "is not listed by any source, so nothing is delivered to it";
      warnings.push(lineAt(["destinations", name], text));
    }
    return destinationOf(name, entry, namesOf(listing));
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

/** Returns the destination `forward` if FORWARD_URL is set. It gets the events of the sources without a destination list. */
export function forwardDestination(
  values: { FORWARD_URL: string | null; FORWARD_SECRET: string | null },
  sources: readonly SourceEntry[],
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
  const sourcesOfForward = namesOf(sources.filter(hasNoList));
  if (sources.length > 0 && sourcesOfForward.length === 0) {
    warnings.push(
      "FORWARD_URL: nothing is delivered to it, because every source has a destinations list",
    );
  }
  const forward: HttpDestinationConfig = {
    kind: "http",
    name: "forward",
    sources: sourcesOfForward,
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
export function handlersOf(
  file: string | null,
  sources: readonly SourceEntry[],
): HandlersConfig {
  const served = file === null ? sources.filter(hasNoList) : sources;
  return Object.freeze({ file, sources: namesOf(served) });
}

function hasNoList({ settings }: SourceEntry): boolean {
  return settings.destinations === undefined;
}

function namesOf(sources: readonly SourceEntry[]): readonly string[] {
  return Object.freeze(sources.map(({ name }) => name));
}
