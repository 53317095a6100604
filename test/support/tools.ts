import { describe } from "@jest/globals";
import { spawnSync } from "node:child_process";

/** Whether a program is installed. With any option, these programs end at once. */
const isInstalled = (program: string): boolean =>
  spawnSync(program, ["--version"], { stdio: "ignore" }).error === undefined;

/** Defines a group of tests that need a program. It is skipped without the program; `.ci/run` installs those of Debian. */
export const describeWith = (
  program: string,
): typeof describe | typeof describe.skip =>
  isInstalled(program) ? describe : describe.skip;

/** Returns the name of such a group, with the reason if it is skipped. */
export const withTool = (program: string, name: string): string =>
  isInstalled(program)
    ? name
    : `${name} (skipped, ${program} is not installed)`;

/** Runs a program to its end. Returns its exit code and what it printed to both outputs. */
export function runTool(
  program: string,
  args: readonly string[],
): { code: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(program, args, {
    encoding: "utf8",
  });
  return { code: status, output: `${stdout}${stderr}` };
}
