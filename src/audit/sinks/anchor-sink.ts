import type { FileHandle } from "node:fs/promises";
import { hasAction } from "../entry.ts";
import { headText } from "../head-text.ts";
import { parseEntry } from "../parsed-entry.ts";

import { createAppendFile } from "./append-file.ts";
import type { AuditSink, SinkRow } from "./sink.ts";

const NEWLINE = "\n";

/**
 * Appends a line `WRITER:SEQ:HASH` for each checkpoint to a file. The lines are on disk when `write` resolves. The sink only
 * appends. If a full disk leaves an incomplete line, that line stays, and the next anchor starts on a new line.
 */
export function createAnchorSink(file: string): AuditSink {
  const output = createAppendFile(file, endLastLine);
  return {
    name: "anchors",
    maxRows: 500,
    maxBytes: 1_048_576,
    lingerMs: 0,
    shared: true,
    exact: false,
    async write(rows) {
      const anchors = rows.flatMap(anchorOf);
      if (anchors.length > 0) {
        await output.write(async (handle) => {
          await handle.writeFile(anchors.join(""));
          await handle.datasync();
        });
      }
    },
    close: output.close,
  };
}

function anchorOf({ line }: SinkRow): string[] {
  const entry = hasAction(line, "audit.checkpoint") ? parseEntry(line) : null;
  return entry === null
    ? []
    : [headText({ ...entry.chain, hash: entry.hash }) + NEWLINE];
}

async function endLastLine(handle: FileHandle): Promise<void> {
  const { size } = await handle.stat();
  const last = Buffer.from(NEWLINE);
  if (size > 0) {
    await handle.read(last, 0, 1, size - 1);
  }
  if (last.toString("latin1") !== NEWLINE) {
    await handle.writeFile(NEWLINE);
  }
}
