import { describe, expect, it } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { completedCommands } from "../../../src/cli/completion/tree.ts";
import { processIo } from "../../../src/cli/process-io.ts";
import { createProgram } from "../../../src/cli/program.ts";
import { hexhook } from "../../support/hexhook.ts";
import { environment } from "../../support/processes.ts";
import { inProject } from "../../support/project.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { describeWith, withTool } from "../../support/tools.ts";

const COMMANDS = completedCommands(createProgram(processIo()));

/** Returns the candidates of a shell for each line, sorted. The working folder has only the file `script`. */
async function candidates(
  shell: string,
  lines: readonly string[],
): Promise<Map<string, string[]>> {
  const folder = temporaryFolder().path;
  const { code, stdout } = await hexhook(["completion", shell], {
    cwd: folder,
  });
  expect(code).toBe(0);
  writeFileSync(path.join(folder, "script"), stdout);
  const harness = inProject(
    "test",
    "support",
    "completion",
    `candidates.${shell}`,
  );
  const isolated =
    shell === "zsh" ? ["-f"] : shell === "bash" ? ["--norc"] : ["-N"];
  const result = spawnSync(
    shell,
    [...isolated, harness, "./script", ...lines],
    {
      cwd: folder,
      encoding: "utf8",
      env: environment({ HOME: folder, TERM: "vt100" }),
    },
  );
  expect([result.stderr, result.status]).toEqual(["", 0]);
  const found = new Map<string, string[]>();
  for (const block of result.stdout.split(/^> /m).slice(1)) {
    const [line = "", ...values] = block.split("\n");
    found.set(line, values.filter((value) => value !== "").sort());
  }
  return found;
}

it("knows every command of the program, with its options and their values", () => {
  const paths = COMMANDS.map(({ path }) => path);
  expect(paths).toEqual(
    expect.arrayContaining(["hexhook", "hexhook serve", "hexhook events list"]),
  );
  const list = COMMANDS.find(({ path }) => path === "hexhook events list");
  expect(list?.options).toEqual(
    expect.arrayContaining([
      expect.objectContaining({
        flags: ["--state"],
        values: ["pending", "succeeded", "exhausted", "discarded"],
      }),
      expect.objectContaining({ flags: ["-h", "--help"], values: null }),
    ]),
  );
});

describe.each(["bash", "zsh", "fish"])("hexhook completion %s", (shell) => {
  describeWith(shell)(withTool(shell, "completes"), () => {
    it("every command and option, the values of options and arguments, and files", async () => {
      const groups = COMMANDS.filter(
        ({ subcommands }) => subcommands.length > 0,
      );
      const options = COMMANDS.map((command): [string, string[]] => [
        `${command.path} --`,
        command.options
          .flatMap(({ flags }) => flags)
          .filter((flag) => flag.startsWith("--"))
          .sort(),
      ]);
      const expected = new Map([
        ...groups.map(({ path, subcommands }): [string, string[]] => [
          `${path} `,
          subcommands.map(({ name }) => name).sort(),
        ]),
        ...options,
        ["hexhook ev", ["events"]],
        [
          "hexhook events list --state ",
          ["discarded", "exhausted", "pending", "succeeded"],
        ],
        ["hexhook events list --json --state=pe", ["pending"]],
        ["hexhook completion ", ["bash", "fish", "zsh"]],
        ["hexhook events help sh", ["show"]],
        // The value of --source is no command.
        ["hexhook events list --source events --lim", ["--limit"]],
        ["hexhook send --file scr", ["script"]],
        ["hexhook audit verify scr", ["script"]],
        ["hexhook events list --since ", []],
      ]);
      const found = await candidates(shell, [...expected.keys()]);
      expect(Object.fromEntries(found)).toEqual(Object.fromEntries(expected));
    });
  });
});
