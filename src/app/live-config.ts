import type { Handlers } from "../domain/handler.ts";
import type { Source } from "../domain/source.ts";
import type { DestinationConfig } from "../config/destinations.ts";
import type { Config } from "../config/load-config.ts";
import { createRouter } from "../intake/routing.ts";
import { configuredDestinations } from "./destinations.ts";

/** The current configuration and everything derived from it. A reload replaces the whole object. */
export interface LiveConfig {
  readonly config: Config;
  readonly sources: ReadonlyMap<string, Source>;
  readonly destinations: readonly DestinationConfig[];
  readonly route: ReturnType<typeof createRouter>;
}

/**
 * Holds the current configuration. Only the reload sets `current`. Readers read it at each use, and keep no part of it. Variables
 * that a reload does not apply are read from the configuration at startup instead.
 */
export interface LiveConfigHolder {
  current: LiveConfig;
}

/** Derives sources, destinations and routes. Throws ConfigError if a destination refers to a missing handler. */
export function deriveLiveConfig(
  config: Config,
  handlers: Handlers,
): LiveConfig {
  const destinations = configuredDestinations(config, handlers);
  return Object.freeze({
    config,
    sources: new Map(config.sources.map((one) => [one.name, one])),
    destinations,
    route: createRouter(destinations),
  });
}
