import type { Route } from "../domain/destination.ts";
import type { Source } from "../domain/source.ts";
import { outboundKey } from "../delivery/http/standard-webhooks.ts";
import type { DestinationEntry } from "./destination-entry.ts";
import { lineAt } from "./errors.ts";
import type { HexEntry } from "./hex-entry.ts";

export interface HttpDestinationConfig extends Route {
  readonly kind: "http";
  readonly url: string;
  /** What attempts are signed with; null = they are not signed. */
  readonly secret: string | null;
  /** Attempts that may be under way at once. */
  readonly concurrency: number;
  /** Whether its name may lead to a private address. */
  readonly allowPrivate: boolean;
}

export interface HandlerDestinationConfig extends Route {
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
      const text = "no source lists it; nothing is brought there";
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
  const route: Route = {
    name,
    sources,
    events: Object.freeze(entry.events ?? EVERY_EVENT),
    orderBy: entry.orderBy ?? null,
  };
  return Object.freeze(
    entry.handler === undefined
      ? {
          ...route,
          kind: "http",
          url: entry.url,
          secret: entry.secret?.value ?? null,
          concurrency: entry.concurrency ?? HTTP_CONCURRENCY,
          allowPrivate: entry.allowPrivate ?? true,
        }
      : {
          ...route,
          kind: "handler",
          handler: entry.handler,
          concurrency: entry.concurrency ?? HANDLER_CONCURRENCY,
        },
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
 * A fault for each destination that signs with the key of a source: whoever gets its attempts could then forge events,
 * and a message signed under one scheme could pass under the other.
 */
export function sharedSecrets(
  destinations: readonly DestinationConfig[],
  source: Source,
): string[] {
  return destinations.flatMap((one) => {
    const secret = one.kind === "http" ? one.secret : null;
    if (secret === null) {
      return [];
    }
    // As a text too: behind `whsec_` the key is another, but who has the one can make the other.
    const keys = [outboundKey(secret), Buffer.from(secret, "utf8")];
    const isShared = source.secrets.some((known) =>
      keys.some((key) => known.key.equals(key)),
    );
    if (!isShared) {
      return [];
    }
    const text = `is a signing secret of ${source.name} too; give each its own`;
    return one.name === "forward"
      ? [`FORWARD_SECRET: ${text}`]
      : [lineAt(["destinations", one.name, "secret"], text)];
  });
}
