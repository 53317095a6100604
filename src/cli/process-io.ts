import type { Io } from "./io.ts";

/** Returns the streams, environment and signals of this process. */
export function processIo(): Io {
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    signals: process,
    setExitCode: (code) => {
      process.exitCode = code;
    },
  };
}
