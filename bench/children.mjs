// Starts the processes of the benchmark. Each is pinned to a core, and ends with the benchmark.
import { spawn } from "node:child_process";
import { cpus } from "node:os";
import { pinned } from "./machine.mjs";

export const SERVER_CORE = 0;
export const LOAD_CORE = 1;

const children = new Set();
process.once("exit", () => children.forEach((child) => child.kill("SIGKILL")));

/** All cores, as a list for taskset. A child inherits the single core of the benchmark unless `start` gives it others. */
export const ALL_CORES = `0-${cpus().length - 1}`;

export function start(core, command, options) {
  const [program, ...args] = pinned(core, command);
  const child = spawn(program, args, options);
  children.add(child);
  child.exited = new Promise((resolve) => {
    child.once("error", resolve);
    child.once("exit", resolve);
  });
  child.exited.then(() => children.delete(child));
  return child;
}

export async function stop(child) {
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 20_000);
  await child.exited;
  clearTimeout(timer);
}

/** Returns the next message of a child Node process. */
export async function nextMessage(child, name) {
  const message = new Promise((resolve) => child.once("message", resolve));
  const ended = child.exited.then(() => {
    throw new Error(`${name} ended before it was ready`);
  });
  return Promise.race([message, ended]);
}

/** Runs a command until it ends. Resolves to its stdout. */
export async function run(core, command, options = {}) {
  const child = start(core, command, {
    stdio: ["ignore", "pipe", "inherit"],
    ...options,
  });
  options.onStart?.(child);
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    output += text;
  });
  const closed = new Promise((resolve) => child.once("close", resolve));
  await child.exited;
  await closed;
  if (child.exitCode !== 0) {
    throw new Error(
      `${command[0]} failed (${child.exitCode ?? child.signalCode})`,
    );
  }
  return output;
}
