import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Environment } from "../../src/config/load-config.ts";
import { codeBlocks } from "./markdown.ts";
import { CLI, environment } from "./processes.ts";
import { inProject } from "./project.ts";

/* Runs the commands of a document as its reader would. */

/** Returns the shell commands below a heading of a document in docs, block by block. Throws if there are none. */
export function documentedCommands(
  document: string,
  heading: string,
): string[] {
  const text = readFileSync(inProject("docs", document), "utf8");
  const section = text
    .split(/^(?=## )/m)
    .find((part) => part.startsWith(`## ${heading}\n`));
  // A block in a list is indented.
  const blocks = codeBlocks((section ?? "").replace(/^ {3}/gm, ""), "sh");
  if (blocks.length === 0) {
    throw new Error(`no commands below ${heading}`);
  }
  return blocks;
}

/** Runs commands in a shell that ends with the first error. `hexhook` is the built program. */
export function runCommands(
  commands: string,
  { cwd, env = {} }: { readonly cwd: string; readonly env?: Environment },
): { status: number | null; stdout: string; stderr: string } {
  const bin = path.join(cwd, "bin");
  mkdirSync(bin, { recursive: true });
  writeFileSync(
    path.join(bin, "hexhook"),
    `#!/bin/sh\nexec "${process.execPath}" "${CLI}" "$@"\n`,
  );
  chmodSync(path.join(bin, "hexhook"), 0o755);
  const inherited = environment(env);
  return spawnSync("sh", ["-e", "-c", commands], {
    cwd,
    env: {
      ...inherited,
      PATH: `${bin}:${path.dirname(process.execPath)}:${inherited["PATH"]}`,
    },
    encoding: "utf8",
  });
}
