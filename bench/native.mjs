// Compiles the C programs of the benchmark into a temporary directory.
import { spawnSync } from "node:child_process";
import path from "node:path";

function compile(name, output, ...flags) {
  const source = path.join(import.meta.dirname, `${name}.c`);
  const { error, status, stderr } = spawnSync(
    "cc",
    ["-O2", "-o", output, source, ...flags],
    { encoding: "utf8" },
  );
  if (error !== undefined) {
    throw new Error(
      "npm run bench needs a C compiler: apt-get install gcc libc6-dev",
    );
  }
  if (status !== 0) {
    throw new Error(
      `cc could not compile ${source} (apt-get install gcc libc6-dev):\n${stderr}`,
    );
  }
  return output;
}

/** Compiles the load generator, and the library that slows fsync down. */
export const buildNative = (folder) => ({
  load: compile("load", path.join(folder, "load")),
  delayFsync: compile(
    "delay-fsync",
    path.join(folder, "delay-fsync.so"),
    "-shared",
    "-fPIC",
    "-ldl",
  ),
});
