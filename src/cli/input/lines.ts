import type { Readable } from "node:stream";

const NEWLINE = 0x0a;

/** Maximum length of a line in bytes. The rest is cut off, so that a line cannot fill the memory. No audit entry is longer. */
const MAX_BYTES = 65_536;

/**
 * Yields the lines of a stream of bytes. All lines that end in one chunk come in one array. Only `\n` ends a line. It is removed,
 * with a `\r` before it. `onBytes` gets the number of bytes of each chunk.
 */
export async function* linesOf(
  input: Readable,
  onBytes: (bytes: number) => void = () => undefined,
): AsyncGenerator<readonly string[]> {
  let parts: Buffer[] = [];
  let length = 0;
  const keep = (part: Buffer): void => {
    const room = Math.max(0, MAX_BYTES - length);
    if (room > 0 && part.length > 0) {
      parts.push(part.subarray(0, room));
    }
    length += part.length;
  };
  const take = (): string => {
    const line = Buffer.concat(parts).toString("utf8");
    parts = [];
    length = 0;
    return line.endsWith("\r") ? line.slice(0, -1) : line;
  };
  for await (const chunk of input as AsyncIterable<Buffer>) {
    const lines: string[] = [];
    let from = 0;
    for (
      let end = chunk.indexOf(NEWLINE);
      end !== -1;
      end = chunk.indexOf(NEWLINE, from)
    ) {
      keep(chunk.subarray(from, end));
      lines.push(take());
      from = end + 1;
    }
    keep(chunk.subarray(from));
    yield lines;
    onBytes(chunk.length);
  }
  if (length > 0) {
    yield [take()];
  }
}
