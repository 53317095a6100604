import type { Stats } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { ConfigError, errorCode } from "../../errors.ts";
import { SinkFault } from "./sink.ts";

/** A file that is appended to, opened again when it was moved away (logrotate). */
export interface AppendFile {
  /** The open file, at its end. */
  readonly current: () => Promise<FileHandle>;
  /** Writes by `append`. When that fails, the file is opened again next time, and it rejects with SinkFault. */
  readonly write: (
    append: (handle: FileHandle) => Promise<void>,
  ) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** `repairEnd` runs after each open: it fixes a line that a killed process or a full disk left incomplete. */
export function createAppendFile(
  file: string,
  repairEnd: (handle: FileHandle) => Promise<void>,
): AppendFile {
  let handle: FileHandle | null = null;

  async function close(): Promise<void> {
    const closing = handle;
    handle = null;
    await closing?.close();
  }

  async function current(): Promise<FileHandle> {
    if (handle !== null && !(await isStill(file, handle))) {
      await close();
    }
    if (handle === null) {
      handle = await openFile(file);
      await repairEnd(handle);
    }
    return handle;
  }

  return {
    current,
    async write(append) {
      try {
        await append(await current());
      } catch (error) {
        await close().catch(() => undefined);
        throw new SinkFault(errorCode(error) ?? "unknown");
      }
    },
    close,
  };
}

/** Throws ConfigError, naming the variable, when the file cannot be appended to; makes it when it does not exist. */
export async function requireAppendable(
  variable: string,
  file: string,
): Promise<void> {
  try {
    await (await openFile(file)).close();
  } catch (error) {
    const code = errorCode(error) ?? "unknown";
    // A disk that is full now may not be for long.
    if (code !== "ENOSPC" && code !== "EDQUOT") {
      throw new ConfigError([
        `${variable}: cannot be opened to append to (${code}); name a file in an existing folder that can be written`,
      ]);
    }
  }
}

async function openFile(file: string): Promise<FileHandle> {
  const existing = await stat(file).catch(() => null);
  if (existing !== null && !existing.isFile()) {
    // Opening a pipe would wait for its reader.
    throw Object.assign(new Error("not a file"), { code: "not a file" });
  }
  return open(file, "a+", 0o600);
}

/** Whether the name still leads to the open file. */
async function isStill(file: string, handle: FileHandle): Promise<boolean> {
  const [named, opened]: (Stats | null)[] = await Promise.all([
    stat(file).catch(() => null),
    handle.stat(),
  ]);
  return named?.ino === opened?.ino && named?.dev === opened?.dev;
}
