import type { Handler, Handlers } from "../../domain/handler.ts";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { isEventPattern } from "../../intake/routing.ts";
import { asError, ConfigError } from "../../errors.ts";

const LOAD_MS = 30_000;

/**
 * Loads a handlers module: its default export maps event type patterns to functions. Throws ConfigError that names
 * the file and the export when it cannot be loaded or exports something else.
 */
export async function loadHandlers(file: string): Promise<Handlers> {
  const absolute = path.resolve(file);
  try {
    const module = (await within(import(pathToFileURL(absolute).href))) as {
      default?: unknown;
    };
    return checkHandlers(module.default, absolute);
  } catch (thrown) {
    throw loadFault(asError(thrown), absolute);
  }
}

/** What an error of loading a module is as a fault of the configuration. */
export function loadFault(error: Error, file: string): ConfigError {
  if (error instanceof ConfigError) {
    return error;
  }
  const lines = error.message.split(/\n| imported from /);
  const why = lines.find((line) => line.trim() !== "") ?? "it threw";
  return new ConfigError([`HANDLERS: cannot load ${file}: ${why}`]);
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

/** Not an array, a Map, a promise or an instance of a class: what those hold would be passed over. */
function isPlainObject(value: unknown): value is object {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return false;
  }
  const prototype = Object.getPrototypeOf(value) as unknown;
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** The handlers that a module exports. Throws ConfigError when they are something else. */
export function checkHandlers(exported: unknown, file: string): Handlers {
  if (!isPlainObject(exported)) {
    throw new ConfigError([
      `HANDLERS: the default export of ${file} must be a plain object that maps event types to functions`,
    ]);
  }
  const faults: string[] = [];
  const handlers: Record<string, Handler> = {};
  for (const [pattern, handler] of Object.entries(exported)) {
    if (!isEventPattern(pattern)) {
      faults.push(
        `HANDLERS: ${JSON.stringify(pattern)} in ${file} is no event type, "prefix.*" or "*"`,
      );
    } else if (typeof handler !== "function") {
      faults.push(
        `HANDLERS: ${JSON.stringify(pattern)} in ${file} must be a function`,
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
