import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Environment } from "../../src/config/load-config.ts";
import { cleanUp } from "./cleanup.ts";
import { eventually } from "./eventually.ts";
import { CLI, environment } from "./processes.ts";

export type Listening = Awaited<ReturnType<typeof startListen>>;

/** Starts a real `hexhook listen` in a separate process, and waits until it receives. It is ended when the test ends. */
export async function startListen(
  folder: string,
  args: readonly string[],
  env: Environment,
) {
  const child = spawn(
    process.execPath,
    [CLI, "listen", "--port", "0", ...args],
    { cwd: folder, env: environment(env), stdio: ["ignore", "pipe", "pipe"] },
  );
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const exited = once(child, "close").then(([code]) => code as number | null);
  cleanUp(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  await eventually(() => {
    if (child.exitCode !== null) {
      throw new Error(`listen ended early: ${stderr}`);
    }
    return stderr.includes("/webhooks/");
  });
  const [url = ""] = /http:\/\/[\d.:]+/.exec(stderr) ?? [];
  return {
    url,
    stdout: () => stdout,
    stderr: () => stderr,
    /** Returns what was printed as JSON, one value for each line. */
    lines: () =>
      stdout
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    end: async (signal: NodeJS.Signals) => {
      child.kill(signal);
      return exited;
    },
  };
}
