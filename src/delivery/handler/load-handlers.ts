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
    const module = (await within(
      LOAD_MS,
      import(pathToFileURL(absolute).href),
    )) as { default?: unknown };
    return checkHandlers(module.default, absolute);
  } catch (thrown) {
    if (thrown instanceof ConfigError) {
      throw thrown;
    }
    const lines = asError(thrown).message.split(/\n| imported from /);
    const why = lines.find((line) => line.trim() !== "") ?? "it threw";
    throw new ConfigError([`HANDLERS: cannot load ${absolute}: ${why}`]);
  }
}

/** Rejects when it takes longer: a module may wait at its top level for something that never comes. */
async function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`it takes longer than ${milliseconds / 1000} s`));
    }, milliseconds);
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

function checkHandlers(exported: unknown, file: string): Handlers {
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
