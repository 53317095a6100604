import { once } from "node:events";

/** Prints a line, and waits for a slow reader, so that a long list does not heap up in memory. */
export async function print(line: string): Promise<void> {
  if (!process.stdout.write(`${line}\n`)) {
    await once(process.stdout, "drain");
  }
}
