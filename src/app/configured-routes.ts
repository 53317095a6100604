import { type Environment, loadDestinations } from "../config/load-config.ts";
import { inspectHandlers } from "../delivery/handler/inspect-handlers.ts";
import type { Route } from "../domain/destination.ts";
import builtInHandlers from "../handlers/index.ts";
import { configuredDestinations } from "./destinations.ts";

/** Returns the routes that a service with this environment has, for commands. Throws ConfigError. */
export async function configuredRoutes(
  env: Environment,
): Promise<readonly Route[]> {
  const config = loadDestinations(env);
  const { file } = config.handlers;
  const handlers =
    file === null ? builtInHandlers : await inspectHandlers(file);
  return configuredDestinations(config, handlers);
}
