import type { Handlers, HexApi } from "../domain/handler.ts";
import type { Destination } from "../domain/destination.ts";
import type { LookupFunction } from "node:net";
import { isDeepStrictEqual } from "node:util";
import type { Logger } from "pino";
import type { Emit } from "../telemetry/happening.ts";
import type { Config } from "../config/load-config.ts";
import {
  type DestinationConfig,
  HANDLER_CONCURRENCY,
} from "../config/destinations.ts";
import { forbiddenLiteral } from "../delivery/http/address-guard.ts";
import type { HandlerCalls } from "../delivery/handler/handler-calls.ts";
import { createHandlerDestination } from "../delivery/handler/handler-destination.ts";
import { createHttpDestination } from "../delivery/http/http-destination.ts";
import { loadHandlers } from "../delivery/handler/load-handlers.ts";
import { ConfigError } from "../errors.ts";
import builtInHandlers from "../handlers/index.ts";

export interface DestinationDeps {
  /** For handlers. */
  readonly logger: Logger;
  readonly emit: Emit;
  /** Tracks the calls of handlers, to attribute late errors. */
  readonly handlerCalls: HandlerCalls;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Returns this number of random bytes, in hex. */
  readonly randomHex: (bytes: number) => string;
  /** Resolves host names, like `dns.lookup`. */
  readonly lookup: LookupFunction;
  readonly version: string;
  /** Returns the Hex API with the current configuration, for handlers. */
  readonly hex: () => HexApi;
}

/** Loads the configured handlers module, or the built-in one. Throws ConfigError if it is not valid. */
export async function loadConfiguredHandlers(
  { handlers: { file } }: Pick<Config, "handlers">,
  calls: HandlerCalls,
): Promise<Handlers> {
  return file === null ? builtInHandlers : calls.load(() => loadHandlers(file));
}

/**
 * Returns all configured destinations: those with a name, and one `handler:PATTERN` for each function of the handlers module
 * that no destination refers to. Throws ConfigError if a destination refers to a missing function.
 */
export function configuredDestinations(
  config: Pick<Config, "destinations" | "handlers">,
  handlers: Handlers,
): readonly DestinationConfig[] {
  const { file, sources } = config.handlers;
  requireHandlers(config.destinations, handlers, file);
  const referred = new Set(
    config.destinations.map((one) =>
      one.kind === "handler" ? one.handler : null,
    ),
  );
  const unnamed = Object.keys(sources.length === 0 ? {} : handlers)
    .filter((pattern) => !referred.has(pattern))
    .map((pattern): DestinationConfig => {
      const name = `handler:${pattern}`;
      return {
        kind: "handler",
        name,
        handler: pattern,
        sources,
        events: [pattern],
        concurrency: HANDLER_CONCURRENCY,
        orderBy: null,
      };
    });
  return [...unnamed, ...config.destinations];
}

/** Compares destinations before and after a reload. A changed destination is in both `removed` and `added`. */
export function changedDestinations(
  before: readonly DestinationConfig[],
  after: readonly DestinationConfig[],
): {
  readonly removed: readonly string[];
  readonly added: readonly DestinationConfig[];
} {
  const added = after.filter(
    (one) => !before.some((other) => isDeepStrictEqual(one, other)),
  );
  const kept = after.filter((one) => !added.includes(one));
  const removed = before
    .map(({ name }) => name)
    .filter((name) => kept.every((one) => one.name !== name));
  return { removed, added };
}

/** Creates a destination without attempts in flight. */
export function createDestination(
  config: DestinationConfig,
  handlers: Handlers,
  deps: DestinationDeps,
): Destination {
  const { emit, now, randomHex, lookup, version } = deps;
  if (config.kind === "http") {
    const forbidden = forbiddenLiteral(config.url);
    if (forbidden !== null) {
      emit({
        type: "destination.forbidden",
        destination: config.name,
        address: forbidden,
      });
    }
    const userAgent = `Hexhook/${version}`;
    return createHttpDestination({ now, randomHex, lookup, userAgent }, config);
  }
  const handler = handlers[config.handler];
  if (handler === undefined) {
    throw new TypeError(`there is no handler ${config.handler}`);
  }
  return createHandlerDestination(
    { log: deps.logger, emit, calls: deps.handlerCalls, hex: deps.hex },
    { ...config, handler },
  );
}

function requireHandlers(
  destinations: readonly DestinationConfig[],
  handlers: Handlers,
  file: string | null,
): void {
  const errors = destinations.flatMap((one) =>
    one.kind === "handler" && !Object.hasOwn(handlers, one.handler)
      ? [
          `HEXHOOK_CONFIG: destinations.${one.name}.handler: ${file ?? "the built-in handlers module"} has no function ${JSON.stringify(one.handler)}; set HANDLERS to a module that has it`,
        ]
      : [],
  );
  if (errors.length > 0) {
    throw new ConfigError(errors);
  }
}
