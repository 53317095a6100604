import { configuredRoutes } from "../../app/configured-routes.ts";
import {
  configuresDestinations,
  loadDestinations,
  readEnvironment,
} from "../../config/load-config.ts";
import type { Route } from "../../domain/destination.ts";
import { ConfigError, UsageError } from "../../errors.ts";
import {
  hasDeliveries,
  unknownDestination,
} from "../../events/known-destination.ts";
import type { DestinationReader, StoreReader } from "../../store/port.ts";
import type { Io } from "../io.ts";
import { publishedRoutes } from "./served-destinations.ts";

type Store = Pick<DestinationReader, "processStatuses">;

/** Says where the names of destinations come from, and what to do if they are not the right ones. */
const ORIGIN = {
  command: "by this command's configuration",
  service:
    "published by the service that started last: set HEXHOOK_CONFIG, or restart the service",
  serviceInstead:
    "published by the service that started last: this command's configuration has an error",
} as const;

export interface KnownRoutes {
  readonly routes: readonly Route[];
  /** Text for an error about a destination that has no route: where the routes come from. */
  readonly origin: string;
}

export interface KnownDestinations {
  readonly names: readonly string[];
  readonly origin: string;
}

/**
 * Returns the current routes: those of this command's configuration, or those that the newest service has published if the
 * configuration has no destinations. Throws ConfigError when the configuration has an error.
 */
export async function knownRoutes(io: Io, store: Store): Promise<KnownRoutes> {
  const env = readEnvironment(io.env);
  const published = configuresDestinations(env)
    ? null
    : await publishedRoutes(store);
  return published === null
    ? { routes: await configuredRoutes(env), origin: ORIGIN.command }
    : { routes: published, origin: ORIGIN.service };
}

/**
 * Returns the names of the current destinations; null when they are unknown. Does not load the handlers module if a service has
 * published its names. Ignores configuration errors: a command that does not route may run without the secrets that the
 * configuration names.
 */
export async function knownDestinations(
  io: Io,
  store: Store,
): Promise<KnownDestinations | null> {
  const published = await publishedRoutes(store);
  const served = published?.map(({ name }) => name) ?? null;
  const env = readEnvironment(io.env);
  if (!configuresDestinations(env)) {
    return served && { names: served, origin: ORIGIN.service };
  }
  try {
    const names =
      served === null
        ? (await configuredRoutes(env)).map(({ name }) => name)
        : [
            ...loadDestinations(env).destinations.map(({ name }) => name),
            ...served.filter((name) => name.startsWith("handler:")),
          ];
    return { names, origin: ORIGIN.command };
  } catch (error) {
    if (error instanceof ConfigError) {
      return served && { names: served, origin: ORIGIN.serviceInstead };
    }
    throw error;
  }
}

/** Throws UsageError for a destination that is not configured and has no deliveries. */
export async function requireDestination(
  store: StoreReader,
  name: string | undefined,
  known: KnownDestinations | null,
): Promise<void> {
  if (
    name !== undefined &&
    known?.names.includes(name) === false &&
    !(await hasDeliveries(store, name))
  ) {
    throw new UsageError(unknownDestination(name, known.names, known.origin));
  }
}
