import { once } from "node:events";
import { type Io, type Output, writeLine } from "../io.ts";
import { visible } from "./terminal-text.ts";

/** Prints a line, and waits for a slow reader, so that a long list does not heap up in memory. */
export async function print(stdout: Output, line: string): Promise<void> {
  if (!writeLine(stdout, line)) {
    await once(stdout, "drain");
  }
}

/** Writes a line to stderr: the only way for commands to do so. What it repeats from outside does nothing to a terminal. */
export function note({ stderr }: Pick<Io, "stderr">, line: string): void {
  writeLine(stderr, visible(line));
}
