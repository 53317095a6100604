import { describe } from "@jest/globals";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { asError } from "../../src/errors.ts";
import { cleanUp } from "./cleanup.ts";
import { eventually } from "./eventually.ts";

interface Tracer {
  readonly detach: () => Promise<void>;
}

/** Traces a running process with injected faults until `detach()`. Rejects when strace cannot attach. */
export async function attachStrace(
  pid: number,
  options: readonly string[],
): Promise<Tracer> {
  const tracer = await attach(pid, options);
  cleanUp(tracer.detach);
  return tracer;
}

async function attach(
  pid: number,
  options: readonly string[],
): Promise<Tracer> {
  const tracer = spawn(
    "strace",
    ["-f", "-o", "/dev/null", "-p", String(pid), ...options],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  const ended = new Promise((resolve) => tracer.once("close", resolve));
  let said = "";
  tracer.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  await once(tracer, "spawn");
  await eventually(() => {
    if (tracer.exitCode !== null) {
      throw new Error(said);
    }
    return said.includes("attached");
  });
  return {
    async detach() {
      tracer.kill("SIGTERM");
      await ended;
    },
  };
}

/** The reason why strace cannot attach to another process on this machine; null = it can. */
async function whyNoStrace(): Promise<string | null> {
  const target = spawn("sleep", ["60"], { stdio: "ignore" });
  const ended = once(target, "exit");
  try {
    await once(target, "spawn");
    const { detach } = await attach(target.pid!, ["-e", "trace=none"]);
    await detach();
    return null;
  } catch (error) {
    return asError(error).message.trim();
  } finally {
    target.kill("SIGKILL");
    await ended;
  }
}

const noStrace = await whyNoStrace();

/** Defines a group of tests that need strace. It is skipped on machines where strace cannot attach. */
export const describeUnderStrace = noStrace === null ? describe : describe.skip;

/** Returns the name of such a group, with the reason if it is skipped. */
export const underStrace = (name: string): string =>
  noStrace === null
    ? name
    : `${name} (skipped, strace cannot be used: ${noStrace})`;

/** Returns the command line that runs a program under strace. The system calls of all its threads are written to `file`. */
export const straced = (
  file: string,
  calls: readonly string[],
): readonly string[] => [
  // With -D the started process is the program, and strace is its grandchild.
  ...["strace", "-D", "-f", "-y", "-q", "-s", "4096", "-o", file],
  ...["-e", `trace=${calls.join(",")}`, "-e", "signal=none"],
];

/**
 * Returns the lines that strace has written, when the process has ended with 0. Every line begins with the id of a thread. A
 * call that was interrupted by a call of another thread has two lines.
 */
export async function traceOf(file: string, pid: number): Promise<string[]> {
  const lines = (): string[] => readFileSync(file, "utf8").split("\n");
  await eventually(() =>
    lines().some(
      (line) => line.startsWith(`${pid} `) && line.includes("exited with 0"),
    ),
  );
  return lines();
}
