// What the benchmarks share: a core for each process, and a free port.
import { spawnSync } from "node:child_process";
import { createServer } from "node:net";
import { availableParallelism } from "node:os";

export const canPin =
  availableParallelism() > 1 && spawnSync("taskset", ["-V"]).status === 0;

/** The command, held to one core where the machine has several. */
export const pinned = (core, command) =>
  canPin ? ["taskset", "-c", String(core), ...command] : command;

/** Ends outside Linux: CPU time is read from /proc, and the load uses epoll. */
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
