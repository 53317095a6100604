import { spawn } from "node:child_process";
import { once } from "node:events";
import { cleanUp } from "./cleanup.ts";
import { MARK, MARK_NAME } from "./leaks.ts";
import { inProject } from "./project.ts";

/** The attacks of `bench/attacks.mjs` that need no secret. Each takes eight seconds in a process with low priority. */
export const ATTACKS = [
  "crash",
  "crash-admin",
  "chunks",
  "segments",
  "pipelined",
  "unread",
  "unread-admin",
  "idle",
  "empty-lines",
  "reset",
  "forged-flood",
] as const;

/** Runs an attack to its end. Resolves with the exit code of the attacker. */
export async function runAttack(
  name: (typeof ATTACKS)[number],
  target: { port: number; adminPort: number },
): Promise<number | null> {
  const child = spawn(
    process.execPath,
    [
      inProject("bench", "attacks.mjs"),
      "attacker",
      JSON.stringify({ name, ...target }),
    ],
    {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      env: { [MARK_NAME]: MARK },
    },
  );
  const exited = once(child, "exit");
  cleanUp(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  const [code] = (await exited) as [number | null];
  return code;
}
