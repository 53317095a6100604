import type { Handlers } from "../domain/handler.ts";
import type { Source } from "../domain/source.ts";
import type { DestinationConfig } from "../config/destinations.ts";
import type { Config } from "../config/load-config.ts";
import { createRouter } from "../intake/routing.ts";
import { configuredDestinations } from "./destinations.ts";

/** What is derived from the configuration in force. A reload replaces all of it at once. */
export interface LiveConfig {
  readonly config: Config;
  readonly sources: ReadonlyMap<string, Source>;
  readonly destinations: readonly DestinationConfig[];
  readonly route: ReturnType<typeof createRouter>;
}

/**
 * Holds the configuration in force. Its readers take `current` at each use and keep nothing of it; only the reload sets it.
 * A variable that a reload does not apply is read from the configuration of the start instead.
 */
export interface LiveConfigHolder {
  current: LiveConfig;
}

/** Throws ConfigError when a destination refers to a handler that does not exist. */
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
