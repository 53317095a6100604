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

type Store = Pick<DestinationReader, "processStatuses">;

/** What the newest service has published of its destinations; null when none has. */
async function publishedRoutes(store: Store): Promise<readonly Route[] | null> {
  const [newest] = await store.processStatuses();
  return newest?.destinations ?? null;
}

/**
 * The routes in force: those of this command's configuration, or, when it says nothing of destinations, those that the newest
 * service has published. Throws ConfigError when the configuration has an error.
 */
export async function knownRoutes(
  io: Io,
  store: Store,
): Promise<readonly Route[]> {
  const env = readEnvironment(io.env);
  const published = configuresDestinations(env)
    ? null
    : await publishedRoutes(store);
  return published ?? configuredRoutes(env);
}

/**
 * The names of the destinations, as `knownRoutes` has them, without loading a handlers module if a service has done so; null =
 * unknown. A command that does not route works with a configuration that it cannot read, such as one whose secrets it lacks.
 */
export async function knownDestinations(
  io: Io,
  store: Store,
): Promise<readonly string[] | null> {
  const published = await publishedRoutes(store);
  const names = published?.map(({ name }) => name) ?? null;
  const env = readEnvironment(io.env);
  if (!configuresDestinations(env)) {
    return names;
  }
  try {
    if (names === null) {
      return (await configuredRoutes(env)).map(({ name }) => name);
    }
    return [
      ...loadDestinations(env).destinations.map(({ name }) => name),
      ...names.filter((name) => name.startsWith("handler:")),
    ];
  } catch (error) {
    if (error instanceof ConfigError) {
      return names;
    }
    throw error;
  }
}

/** Throws UsageError when a destination is neither configured nor has deliveries. */
export async function requireDestination(
  store: StoreReader,
  name: string | undefined,
  known: readonly string[] | null,
): Promise<void> {
  if (
    name !== undefined &&
    known?.includes(name) === false &&
    !(await hasDeliveries(store, name))
  ) {
    throw new UsageError(unknownDestination(name, known));
  }
}
