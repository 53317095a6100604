import { type FileHandle, open } from "node:fs/promises";
import { LINE_START, MAX_LINE_BYTES } from "../entry.ts";
import { createAppendFile } from "./append-file.ts";
import type { AuditSink } from "./sink.ts";

const NEWLINE = 0x0a;

/**
 * Appends each entry to a file as a line. The lines are on disk when `write` resolves. After the file was moved away
 * (logrotate), the next write opens its path again. A write that a full disk interrupts is undone, so that no line is torn.
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
        // The next write reports the error.
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

/**
 * Returns the last complete line of a file; null = it has none, or cannot be read. Unlike the sink, it never repairs the file,
 * to which another process may be writing.
 */
export async function readLastLine(file: string): Promise<string | null> {
  let handle: FileHandle | null = null;
  try {
    handle = await open(file, "r");
    return (await endOf(handle)).lastLine;
  } catch {
    return null;
  } finally {
    await handle?.close();
  }
}

/** Returns the last complete line of a file, and the text after it that has no newline. */
async function endOf(
  handle: FileHandle,
): Promise<{ lastLine: string | null; rest: string; size: number }> {
  const { size } = await handle.stat();
  const length = Math.min(size, 2 * (MAX_LINE_BYTES + 1));
  const end = Buffer.alloc(length);
  await handle.read(end, 0, length, size - length);
  const cut = end.lastIndexOf(NEWLINE) + 1;
  const before = end.subarray(0, Math.max(0, cut - 1));
  const line = before.toString("latin1", before.lastIndexOf(NEWLINE) + 1);
  return {
    lastLine: line === "" ? null : line,
    rest: end.toString("latin1", cut),
    size,
  };
}

/**
 * Repairs a last line without a newline. The beginning of an entry is removed, because that entry is written again. Text of
 * another program stays and gets a newline.
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
