import path from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import {
  checkHandlers,
  loadError,
  notPlainObject,
  withLoadTimeout,
} from "./load-handlers.ts";
import type { Handlers } from "../../domain/handler.ts";

/** Code of the thread. It posts the names and types in a module's default export, which it finds as `loadHandlers` does. */
const INSPECT = `
  const { parentPort, workerData } = require("node:worker_threads");
  const isObject = (value) => Object.prototype.toString.call(value) === "[object Object]";
  import(workerData).then(
    ({ default: outer }) => {
      const isCompiled = isObject(outer) && "default" in outer &&
        (Object.hasOwn(outer, "__esModule") || typeof outer.default !== "function");
      const exported = isCompiled ? outer.default : outer;
      parentPort.postMessage(
        isObject(exported)
          ? Object.entries(exported).map(([name, value]) => [name, typeof value])
          : null,
      );
    },
    (error) => parentPort.postMessage(String(error?.message ?? error)),
  );`;

/**
 * Returns a module's event patterns with handlers that do nothing, for routing. The module is loaded on a thread that then
 * ends, so that nothing that the module opens or starts outlives this call. Throws ConfigError as `loadHandlers` does.
 */
export async function inspectHandlers(file: string): Promise<Handlers> {
  const absolute = path.resolve(file);
  const thread = new Worker(INSPECT, {
    eval: true,
    workerData: pathToFileURL(absolute).href,
    // Keep the output of the module out of the command's output.
    stdout: true,
    stderr: true,
  });
  try {
    const found = await withLoadTimeout(
      new Promise<string | null | [string, string][]>((resolve, reject) => {
        thread.once("message", resolve);
        thread.once("error", reject);
        thread.once("exit", (code) => {
          reject(new Error(`it exited with code ${code}`));
        });
      }),
    );
    if (typeof found === "string") {
      throw new Error(found);
    }
    if (found === null) {
      throw notPlainObject(absolute);
    }
    const stubs = found.map(([name, type]): [string, unknown] => [
      name,
      type === "function" ? () => undefined : null,
    ]);
    return checkHandlers(Object.fromEntries(stubs), absolute);
  } catch (thrown) {
    throw loadError(thrown, absolute);
  } finally {
    await thread.terminate();
  }
}
