import path from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import {
  checkHandlers,
  loadFault,
  notPlainObject,
  within,
} from "./load-handlers.ts";
import type { Handlers } from "../../domain/handler.ts";

/** Runs on a thread: tells what the default export of a module is made of, which is found as `loadHandlers` finds it. */
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
 * The handlers of a module by their patterns, for routing alone: none of them does anything. The module is loaded on a thread
 * that then ends, so that nothing it opens or starts outlives this call. Throws ConfigError as `loadHandlers`.
 */
export async function inspectHandlers(file: string): Promise<Handlers> {
  const absolute = path.resolve(file);
  const thread = new Worker(INSPECT, {
    eval: true,
    workerData: pathToFileURL(absolute).href,
    // What it prints belongs to no output of a command.
    stdout: true,
    stderr: true,
  });
  try {
    const found = await within(
      new Promise<string | null | [string, string][]>((resolve, reject) => {
        thread.once("message", resolve);
        thread.once("error", reject);
        thread.once("exit", (code) => {
          reject(new Error(`it ended its thread with ${code}`));
        });
      }),
    );
    if (typeof found === "string") {
      throw new Error(found);
    }
    if (found === null) {
      throw notPlainObject(absolute);
    }
    const stand = found.map(([name, type]): [string, unknown] => [
      name,
      type === "function" ? () => undefined : null,
    ]);
    return checkHandlers(Object.fromEntries(stand), absolute);
  } catch (thrown) {
    throw loadFault(thrown, absolute);
  } finally {
    await thread.terminate();
  }
}
