import { type Logger } from "pino";
import { type Config } from "./config.ts";
import { type Destination } from "./core/model.ts";
import { createHandlerDestination } from "./delivery/handler-destination.ts";
import { createHttpDestination } from "./delivery/http-destination.ts";
import { loadHandlers } from "./delivery/load-handlers.ts";
import builtInHandlers from "./handlers/index.ts";

/** Attempts that may be under way at once, for each destination of the kind. */
const HTTP_CONCURRENCY = 8;
const HANDLER_CONCURRENCY = 64;

export interface DestinationDeps {
  readonly logger: Logger;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** So many random bytes, in hex. */
  readonly randomHex: (bytes: number) => string;
  readonly fetch: typeof fetch;
  readonly version: string;
}

/**
 * The destinations that are configured: one for each function of the handlers module, and `forward` behind
 * FORWARD_URL. Throws ConfigError when the module cannot be used.
 */
export async function createDestinations(
  config: Pick<Config, "handlersFile" | "forward">,
  deps: DestinationDeps,
): Promise<readonly Destination[]> {
  const { logger, now, randomHex, version } = deps;
  const handlers =
    config.handlersFile === null
      ? builtInHandlers
      : await loadHandlers(config.handlersFile);
  const destinations = Object.entries(handlers).map(([pattern, handler]) =>
    createHandlerDestination(
      { logger: (bindings) => logger.child(bindings) },
      { pattern, handler, concurrency: HANDLER_CONCURRENCY },
    ),
  );
  if (config.forward !== null) {
    destinations.push(
      createHttpDestination(
        { fetch: deps.fetch, now, randomHex, userAgent: `Hexhook/${version}` },
        {
          ...config.forward,
          name: "forward",
          events: ["*"],
          concurrency: HTTP_CONCURRENCY,
        },
      ),
    );
  }
  return destinations;
}
