import type { Stats } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { ConfigError, errorCode } from "../../errors.ts";
import { SinkError } from "./sink.ts";

/** A file that is only appended to. After it was moved away (logrotate), its path is opened again. */
export interface AppendFile {
  /** Returns the open file, at its end. */
  readonly current: () => Promise<FileHandle>;
  /** Writes with `append`. If that fails, it closes the file and rejects with SinkError; the next call opens it again. */
  readonly write: (
    append: (handle: FileHandle) => Promise<void>,
  ) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** `repairEnd` runs after each open. It handles a line that a killed process or a full disk left incomplete. */
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
        throw new SinkError(errorCode(error) ?? "unknown");
      }
    },
    close,
  };
}

/** Creates the file if it does not exist. Throws ConfigError, naming the variable, if the file cannot be appended to. */
export async function requireAppendable(
  variable: string,
  file: string,
): Promise<void> {
  try {
    await (await openFile(file)).close();
  } catch (error) {
    const code = errorCode(error) ?? "unknown";
    // A full disk is not a configuration error. The sink retries.
    if (code !== "ENOSPC" && code !== "EDQUOT") {
      throw new ConfigError([
        `${variable}: the file cannot be opened for appending (${code}); name a file in an existing, writable directory`,
      ]);
    }
  }
}

async function openFile(file: string): Promise<FileHandle> {
  const existing = await stat(file).catch(() => null);
  if (existing !== null && !existing.isFile()) {
    // Opening a named pipe would block until it has a reader.
    throw Object.assign(new Error("not a file"), { code: "not a file" });
  }
  return open(file, "a+", 0o600);
}

/** Whether the path still names the open file. */
async function isStill(file: string, handle: FileHandle): Promise<boolean> {
  const [named, opened]: (Stats | null)[] = await Promise.all([
    stat(file).catch(() => null),
    handle.stat(),
  ]);
  return named?.ino === opened?.ino && named?.dev === opened?.dev;
}
