import path from "node:path";
import { pathToFileURL } from "node:url";
import { type Handler, type Handlers } from "../core/model.ts";
import { isEventPattern } from "../core/routing.ts";
import { asError, ConfigError } from "../errors.ts";

/**
 * Loads a handlers module: its default export maps event type patterns to functions. Throws ConfigError that names
 * the file and the export when it cannot be loaded or exports something else.
 */
export async function loadHandlers(file: string): Promise<Handlers> {
  const absolute = path.resolve(file);
  let module: { default?: unknown };
  try {
    module = (await import(pathToFileURL(absolute).href)) as {
      default?: unknown;
    };
  } catch (thrown) {
    const [why = ""] = asError(thrown).message.split(/\n| imported from /, 1);
    throw new ConfigError([`HANDLERS: cannot load ${absolute}: ${why}`]);
  }
  return checkHandlers(module.default, absolute);
}

function checkHandlers(exported: unknown, file: string): Handlers {
  if (
    typeof exported !== "object" ||
    exported === null ||
    Array.isArray(exported)
  ) {
    throw new ConfigError([
      `HANDLERS: the default export of ${file} must be an object that maps event types to functions`,
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
