import type { Handler, Handlers } from "../../domain/handler.ts";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { types } from "node:util";
import { isEventPattern } from "../../intake/routing.ts";
import { ConfigError } from "../../errors.ts";
import { boundedMessage, describeError } from "../../telemetry/loggable.ts";

const LOAD_MS = 30_000;

/**
 * Loads a handlers module, ESM or CommonJS. Its default export must map event patterns to functions. Throws a ConfigError
 * that names the file and the export when the module cannot be loaded or exports something else.
 */
export async function loadHandlers(file: string): Promise<Handlers> {
  const absolute = path.resolve(file);
  try {
    const module = (await withLoadTimeout(
      import(pathToFileURL(absolute).href),
    )) as {
      default?: unknown;
    };
    return checkHandlers(defaultExportOf(module), absolute);
  } catch (thrown) {
    throw loadError(thrown, absolute);
  }
}

/** Returns the ConfigError for a module that cannot be loaded. `thrown` may be any value that a module throws. */
export function loadError(thrown: unknown, file: string): ConfigError {
  if (isConfigError(thrown)) {
    return thrown;
  }
  const { message } = describeError(thrown);
  const lines = message.split(/[\r\n]| imported from /);
  const why = lines.find((line) => line.trim() !== "") ?? "it threw";
  return new ConfigError([
    `HANDLERS: cannot load ${file}: ${boundedMessage(why.trim())}`,
  ]);
}

/** Rejects after 30 s. A module may wait forever at its top level. */
export async function withLoadTimeout<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`it took longer than ${LOAD_MS / 1000} s`));
    }, LOAD_MS);
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

function isConfigError(thrown: unknown): thrown is ConfigError {
  try {
    return thrown instanceof ConfigError;
  } catch {
    return false;
  }
}

/**
 * Returns the default export. For CommonJS, Node's default export is `module.exports`; a compiled `export default` is then its
 * member `default`. A member `default` that is a function is a handler for events of that type.
 */
function defaultExportOf(module: { default?: unknown }): unknown {
  const exported = module.default;
  const isCompiled =
    isPlainObject(exported) &&
    "default" in exported &&
    (Object.hasOwn(exported, "__esModule") ||
      typeof exported.default !== "function");
  return isCompiled ? exported.default : exported;
}

/** Returns false for an array, a Map, a promise or an instance of a class, because their contents would be ignored. */
function isPlainObject(value: unknown): value is object {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return false;
  }
  const prototype = Object.getPrototypeOf(value) as unknown;
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Returns the error for a default export that is not a plain object. `found` says what it is, if known. */
export function notPlainObject(file: string, found = ""): ConfigError {
  return new ConfigError([
    `HANDLERS: the default export of ${file} must be a plain object that maps event types to functions${found}`,
  ]);
}

/** Returns the handlers that a module exports. Throws a ConfigError with a line for each wrong member. */
export function checkHandlers(exported: unknown, file: string): Handlers {
  if (!isPlainObject(exported)) {
    throw notPlainObject(file, `, not ${kindOf(exported)}`);
  }
  const errors: string[] = [];
  const handlers: Record<string, Handler> = {};
  for (const [pattern, handler] of Object.entries(exported)) {
    if (!isEventPattern(pattern)) {
      errors.push(
        `HANDLERS: ${shown(pattern)} in ${file} must be an event type, "prefix.*" or "*"`,
      );
    } else if (typeof handler !== "function") {
      errors.push(
        `HANDLERS: ${shown(pattern)} in ${file} must be a function, not ${kindOf(handler)}`,
      );
    } else if (types.isGeneratorFunction(handler)) {
      errors.push(
        `HANDLERS: ${shown(pattern)} in ${file} is a generator function, which would never run: use an async function`,
      );
    } else {
      handlers[pattern] = handler as Handler;
    }
  }
  if (errors.length > 0) {
    throw new ConfigError(errors);
  }
  return Object.freeze(handlers);
}

function shown(pattern: string): string {
  return boundedMessage(JSON.stringify(pattern));
}

function kindOf(value: unknown): string {
  if (value === undefined || value === null) {
    return String(value);
  }
  if (types.isPromise(value)) {
    return "a promise";
  }
  if (Array.isArray(value)) {
    return "an array";
  }
  if (typeof value !== "object") {
    return `a ${typeof value}`;
  }
  return isPlainObject(value) ? "an object" : "an instance of a class";
}
