import { describe, it } from "@jest/globals";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import type { Environment } from "../../src/config/load-config.ts";
import { cleanUp } from "./cleanup.ts";
import { MARK, MARK_NAME } from "./leaks.ts";
import { inProject } from "./project.ts";
import { eventually } from "./eventually.ts";
import type { Result, RunOptions } from "./hexhook.ts";
import { SECRET, TODAY } from "./fixtures.ts";
import { storeEnvironment } from "./service-store.ts";
import { onTerminal } from "./terminal.ts";

/** The built program. These tests run exactly what is shipped. */
export const CLI = inProject("dist", "cli.js");

/** Returns an environment with these variables. It inherits only what a process needs to run. */
export function environment(env: Environment): NodeJS.ProcessEnv {
  // eslint-disable-next-line no-restricted-properties -- a child process needs PATH, and the SQLite driver of this run
  const { PATH, NODE_OPTIONS } = process.env;
  return {
    PATH,
    ...(NODE_OPTIONS && { NODE_OPTIONS }),
    [MARK_NAME]: MARK,
    ...env,
  };
}

/** Returns a TCP port that is free at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") {
    throw new Error("no port");
  }
  return address.port;
}

/** Runs a command of the built program to its end in a separate process. `hexhook` runs it in this one. */
export async function hexhookProcess(
  args: readonly string[],
  options: RunOptions,
): Promise<Result> {
  const child = spawn(process.execPath, [CLI, ...args], {
    cwd: options.cwd,
    env: environment(options.env ?? {}),
  });
  const out = collect(child);
  child.stdin.on("error", () => undefined);
  child.stdin.end(options.input ?? "");
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout: out.stdout(), stderr: out.stderr() };
}

const hasPython = spawnSync("python3", ["--version"]).error === undefined;

/** Python creates the pseudo-terminals and runs the verifier of docs/. Without it these tests are skipped; CI installs it. */
export const itWithPython = hasPython ? it : it.skip;
export const describeWithPython = hasPython ? describe : describe.skip;

/** Runs a command of the program on a terminal, and returns what the terminal received. */
export async function hexhookOnTerminal(
  args: readonly string[],
  options: { cwd: string; env?: Environment; columns?: number },
): Promise<Result> {
  const [python, ...rest] = onTerminal("both", options.columns ?? 80);
  const child = spawn(python!, [...rest, process.execPath, CLI, ...args], {
    cwd: options.cwd,
    env: environment(options.env ?? {}),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const out = collect(child);
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout: out.stdout(), stderr: out.stderr() };
}

function collect(child: ChildProcess): {
  stdout: () => string;
  stderr: () => string;
} {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout?.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr?.on("data", (chunk: Buffer) => stderr.push(chunk));
  return {
    stdout: () => Buffer.concat(stdout).toString("utf8"),
    stderr: () => Buffer.concat(stderr).toString("utf8"),
  };
}

/**
 * Starts a real `hexhook serve` in a separate process and waits until it is ready. `via` runs it under another program.
 * `cli` is the program file, for example that of an installed package.
 */
export async function serve(
  folder: string,
  env: Environment = {},
  via: readonly string[] = [],
  cli = CLI,
) {
  const port = await freePort();
  const store = await storeEnvironment(folder);
  const [command, ...args] = [...via, process.execPath, cli, "serve"];
  const child = spawn(command, args, {
    cwd: folder,
    env: environment({
      HEX_SECRET: SECRET,
      HEX_SECRET_CREATED_AT: TODAY,
      HOST: "127.0.0.1",
      PORT: String(port),
      ADMIN_PORT: "0",
      DRAIN_SECONDS: "0",
      DATABASE_URL: "sqlite:hexhook.db",
      ...store,
      ...env,
    }),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const out = collect(child);
  let exit: { code: number | null; signal: NodeJS.Signals | null } | null =
    null;
  const exited = once(child, "close").then(([code, signal]) => {
    exit = {
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
    };
    return exit;
  });
  cleanUp(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  const url = `http://127.0.0.1:${port}`;
  await eventually(async () => {
    if (exit !== null) {
      throw new Error(`serve ended early: ${out.stderr()}`);
    }
    return fetch(`${url}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
  });
  return {
    port,
    url,
    child,
    exited,
    stdout: out.stdout,
    stderr: out.stderr,
    post: (body: Buffer, headers: Record<string, string>) =>
      fetch(`${url}/webhooks/hex`, {
        method: "POST",
        headers,
        body: new Uint8Array(body),
      }),
    stop: async (signal: NodeJS.Signals = "SIGTERM") => {
      child.kill(signal);
      return exited;
    },
  };
}
