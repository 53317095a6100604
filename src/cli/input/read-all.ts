import { UsageError } from "../../errors.ts";
import type { Input } from "../io.ts";

/** Reads standard input to its end. Throws UsageError if it is longer than `maxBytes`. */
export async function readAll(
  stdin: Input,
  maxBytes = Number.POSITIVE_INFINITY,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stdin as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBytes) {
      throw new UsageError(`the input is longer than ${maxBytes} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
