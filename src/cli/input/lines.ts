import type { Readable } from "node:stream";

const LINE_END = 0x0a;

/** No entry is longer; of a longer line the beginning is given, so that none can fill the memory. */
const MAX_BYTES = 65_536;

/**
 * The lines of a stream of bytes, as many at once as a chunk has, without their ends: only `\n` ends one, and `\r` before it goes. `onBytes` is told how
 * many were read.
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
      let end = chunk.indexOf(LINE_END);
      end !== -1;
      end = chunk.indexOf(LINE_END, from)
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
