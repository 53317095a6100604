import { once } from "node:events";
import { type Output, writeLine } from "../io.ts";

/** Prints a line, and waits for a slow reader, so that a long list does not heap up in memory. */
export async function print(stdout: Output, line: string): Promise<void> {
  if (!writeLine(stdout, line)) {
    await once(stdout, "drain");
  }
}
