import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { UsageError } from "../../errors.ts";
import type { Io } from "../io.ts";

/** Asks for a secret on the terminal. Does not show what is typed. */
export async function askHidden(
  { stdin, stderr }: Io,
  question: string,
): Promise<string> {
  stderr.write(question);
  const nowhere = new Writable({
    write(_chunk, _encoding, callback) {
      callback();
    },
  });
  const lines = createInterface({
    input: stdin,
    output: nowhere,
    terminal: true,
  });
  const interrupted = new AbortController();
  lines.once("SIGINT", () => {
    interrupted.abort();
  });
  try {
    return await lines.question("", { signal: interrupted.signal });
  } catch {
    throw new UsageError("no key was given; nothing was changed");
  } finally {
    lines.close();
    stderr.write("\n");
  }
}
