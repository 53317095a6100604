import { loadSources, readEnvironment } from "../../config/load-config.ts";
import { ConfigError } from "../../errors.ts";
import { publishedSource } from "../../status/published-source.ts";
import {
  type Configured,
  readStatus,
  type StatusReport,
  type StatusStore,
} from "../../status/status-report.ts";
import type { Io } from "../io.ts";
import { knownDestinations } from "./known-routes.ts";

/**
 * Reads the status of the service from its store. If no service runs, the configuration of the command says which sources and
 * destinations there are.
 */
export function readServiceStatus(
  io: Io,
  store: StatusStore,
): Promise<StatusReport> {
  return readStatus(store, {
    now: Date.now(),
    readConfigured: () => readConfigured(io, store),
  });
}

async function readConfigured(io: Io, store: StatusStore): Promise<Configured> {
  const known = await knownDestinations(io, store);
  return {
    sources: configuredSources(io),
    destinations: known?.names ?? null,
  };
}

/** Returns null if the configuration has an error: the command may run without the secrets of the sources. */
function configuredSources(io: Io): Configured["sources"] {
  try {
    return loadSources(readEnvironment(io.env)).map(publishedSource);
  } catch (error) {
    if (error instanceof ConfigError) {
      return null;
    }
    throw error;
  }
}
