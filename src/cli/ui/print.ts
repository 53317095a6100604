import { once } from "node:events";
import { visible } from "../../terminal/terminal-text.ts";
import { type Io, type Output, writeLine } from "../io.ts";

/** Prints a line. Waits for a slow reader, so that a long list does not fill the memory. */
export async function print(stdout: Output, line: string): Promise<void> {
  if (!writeLine(stdout, line)) {
    await once(stdout, "drain");
  }
}

/** Writes exact bytes and nothing else. Waits for a slow reader. */
export async function printBytes(stdout: Output, bytes: Buffer): Promise<void> {
  if (!stdout.write(bytes)) {
    await once(stdout, "drain");
  }
}

/** Writes an error, a warning or a notice to stderr. Escapes control characters, since the text may quote an argument. */
export function note({ stderr }: Pick<Io, "stderr">, text: string): void {
  writeLine(stderr, `hexhook: ${visible(text)}`);
}
