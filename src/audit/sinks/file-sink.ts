import type { FileHandle } from "node:fs/promises";
import { LINE_START, MAX_LINE_BYTES } from "../entry.ts";
import { createAppendFile } from "./append-file.ts";
import type { AuditSink } from "./sink.ts";

const LINE_END = 0x0a;

/**
 * Entries in a file, a line each, on disk before they count as taken. A file that was moved away (logrotate) is opened
 * again at the next entry. What a full disk cut off in the middle is taken back, so that no line is torn.
 */
export function createFileSink(file: string): AuditSink {
  const output = createAppendFile(file, repairEnd);
  return {
    name: "file",
    maxRows: 500,
    maxBytes: 1_048_576,
    lingerMs: 0,
    shared: true,
    exact: false,
    lastLine: async () => {
      try {
        return (await endOf(await output.current())).lastLine;
      } catch {
        // What is wrong with the file shows when it is written.
        return null;
      }
    },
    write: (rows) => {
      const lines = rows.map(({ line }) => `${line}\n`);
      return output.write((handle) => append(handle, lines.join("")));
    },
    close: output.close,
  };
}

async function append(to: FileHandle, text: string): Promise<void> {
  const { size } = await to.stat();
  try {
    await to.writeFile(text);
    await to.datasync();
  } catch (error) {
    await to.truncate(size);
    throw error;
  }
}

/** The last line of a file, and what stands behind it without an end. */
async function endOf(
  handle: FileHandle,
): Promise<{ lastLine: string | null; rest: string; size: number }> {
  const { size } = await handle.stat();
  const length = Math.min(size, 2 * (MAX_LINE_BYTES + 1));
  const end = Buffer.alloc(length);
  await handle.read(end, 0, length, size - length);
  const cut = end.lastIndexOf(LINE_END) + 1;
  const before = end.subarray(0, Math.max(0, cut - 1));
  const line = before.toString("latin1", before.lastIndexOf(LINE_END) + 1);
  return {
    lastLine: line === "" ? null : line,
    rest: end.toString("latin1", cut),
    size,
  };
}

/**
 * A line without an end is the beginning of an entry that will be written again, and is taken off; if it is none, somebody
 * else's, it gets an end.
 */
async function repairEnd(handle: FileHandle): Promise<void> {
  const { rest, size } = await endOf(handle);
  if (rest === "") {
    return;
  }
  if (rest.startsWith(LINE_START.slice(0, rest.length))) {
    await handle.truncate(size - rest.length);
  } else {
    await handle.writeFile("\n");
  }
}
