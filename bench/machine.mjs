// Functions that the benchmarks share: pinning a process to a core, and finding a free port.
import { spawnSync } from "node:child_process";
import { createServer } from "node:net";
import { availableParallelism } from "node:os";

export const canPin =
  availableParallelism() > 1 && spawnSync("taskset", ["-V"]).status === 0;

/** Returns the command pinned to one core, if the machine has several. */
export const pinned = (core, command) =>
  canPin ? ["taskset", "-c", String(core), ...command] : command;

/** Exits unless this is Linux: CPU time is read from /proc, and the load generator uses epoll. */
export function requireLinux(command) {
  if (process.platform !== "linux") {
    console.error(`${command} needs Linux (this is ${process.platform})`);
    process.exit(1);
  }
}

export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
