import type { Handler, Handlers } from "../../domain/handler.ts";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { types } from "node:util";
import { isEventPattern } from "../../intake/routing.ts";
import { ConfigError } from "../../errors.ts";
import { boundedMessage, describeError } from "../../telemetry/loggable.ts";

const LOAD_MS = 30_000;

/**
 * Loads a handlers module, ESM or CommonJS: its default export maps event type patterns to functions. Throws ConfigError that
 * names the file and the export when it cannot be loaded or exports something else.
 */
export async function loadHandlers(file: string): Promise<Handlers> {
  const absolute = path.resolve(file);
  try {
    const module = (await within(import(pathToFileURL(absolute).href))) as {
      default?: unknown;
    };
    return checkHandlers(defaultExportOf(module), absolute);
  } catch (thrown) {
    throw loadFault(thrown, absolute);
  }
}

/** What an error of loading a module is as a fault of the configuration; it could be anything that a module throws. */
export function loadFault(thrown: unknown, file: string): ConfigError {
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

/** Rejects when it takes too long: a module may wait at its top level for something that never comes. */
export async function within<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`it takes longer than ${LOAD_MS / 1000} s`));
    }, LOAD_MS);
  });
  try {
    return await Promise.race([work, late]);
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
 * The default export. Of CommonJS, Node gives `module.exports` as such, with what compilers make of `export default` as its
 * member `default`. A handler for events of the type `default` is a function and stays one.
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

/** Not an array, a Map, a promise or an instance of a class: what those hold would be passed over. */
function isPlainObject(value: unknown): value is object {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return false;
  }
  const prototype = Object.getPrototypeOf(value) as unknown;
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** The error of a default export that is no plain object; `found` says what it is, if that is known. */
export function notPlainObject(file: string, found = ""): ConfigError {
  return new ConfigError([
    `HANDLERS: the default export of ${file} must be a plain object that maps event types to functions${found}`,
  ]);
}

/** The handlers that a module exports. Throws ConfigError when they are something else. */
export function checkHandlers(exported: unknown, file: string): Handlers {
  if (!isPlainObject(exported)) {
    throw notPlainObject(file, `, not ${kindOf(exported)}`);
  }
  const faults: string[] = [];
  const handlers: Record<string, Handler> = {};
  for (const [pattern, handler] of Object.entries(exported)) {
    if (!isEventPattern(pattern)) {
      faults.push(
        `HANDLERS: ${shown(pattern)} in ${file} is no event type, "prefix.*" or "*"`,
      );
    } else if (typeof handler !== "function") {
      faults.push(
        `HANDLERS: ${shown(pattern)} in ${file} must be a function, not ${kindOf(handler)}`,
      );
    } else if (types.isGeneratorFunction(handler)) {
      faults.push(
        `HANDLERS: ${shown(pattern)} in ${file} is a generator function, whose code would never run: use async function`,
      );
    } else {
      handlers[pattern] = handler as Handler;
    }
  }
  if (faults.length > 0) {
    throw new ConfigError(faults);
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
