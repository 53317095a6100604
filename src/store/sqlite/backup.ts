import {
  closeSync,
  lstatSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { open } from "node:fs/promises";
import path from "node:path";
import { errorCode, StoreError, UsageError } from "../../errors.ts";
import { PROGRAM_FOLDER } from "../../program-folder.ts";
import { startThread } from "../thread/thread.ts";
import { writeObstacle } from "../write-access.ts";

/** The built module, also for a program that runs from `src`: a thread needs JavaScript. */
const COPY_THREAD = new URL("../dist/copy-thread.js", PROGRAM_FOLDER);

/** See `backupStore`. The copy is written to `COPY.partial`, with mode 0600, on another thread. */
export async function backupSqlite(
  store: string,
  copy: string,
  signal?: AbortSignal,
): Promise<number> {
  const file = resolveCopy(store, copy);
  const partial = partialOf(file);
  // Nothing may happen between this and the listener, or the signal would leave the file.
  createPartial(partial);
  const discard = (): void => {
    rmSync(partial, { force: true });
    rmSync(`${partial}-journal`, { force: true });
  };
  signal?.addEventListener("abort", discard);
  try {
    await copyOnThread(store, partial);
    if (signal?.aborted === true) {
      throw new StoreError("the backup was cancelled", {
        code: "STORE_BACKUP_CANCELLED",
        fatal: false,
      });
    }
    await sync(partial);
    // No other backup adds the file between these two calls, since it would need the same incomplete file. A hard link would not
    // replace the file of another program either, but some network drives have no hard links.
    requireAbsent(file, copy);
    renameSync(partial, file);
    await sync(path.dirname(file));
    return statSync(file).size;
  } catch (error) {
    throw asBackupError(error, copy);
  } finally {
    signal?.removeEventListener("abort", discard);
    discard();
  }
}

/** Returns the path of the copy without symbolic links in its directory. Throws UsageError if the copy cannot have this path. */
function resolveCopy(store: string, copy: string): string {
  if (copy === "" || copy.endsWith("/")) {
    throw new UsageError(namesDirectory(copy));
  }
  const folder = path.dirname(path.resolve(copy));
  let realFolder: string;
  try {
    realFolder = realpathSync(folder);
  } catch (error) {
    throw new UsageError(
      `the directory ${folder} cannot be opened (${errorCode(error) ?? "unknown"}): create it, or name another one`,
    );
  }
  const file = path.join(realFolder, path.basename(copy));
  // The store may also have the name of the incomplete copy.
  if (isOfStore(store, file) || isOfStore(store, partialOf(file))) {
    throw new UsageError(
      `${copy} is the name of the store or of one of its files: name another file`,
    );
  }
  requireAbsent(file, copy);
  const obstacle = writeObstacle(realFolder);
  if (obstacle !== null) {
    throw new UsageError(`${copy} cannot be written: ${obstacle}`);
  }
  return file;
}

const partialOf = (file: string): string => `${file}.partial`;

/** Whether the file is the store, or has the name of a file that belongs to it, such as its log. */
function isOfStore(store: string, file: string): boolean {
  return [path.resolve(store), resolveStore(store)].some(
    (name) => file === name || file.startsWith(`${name}-`),
  );
}

function resolveStore(store: string): string {
  try {
    return realpathSync(store);
  } catch {
    // There is no store, which the copy reports.
    return path.resolve(store);
  }
}

function requireAbsent(file: string, copy: string): void {
  const stats = lstatSync(file, { throwIfNoEntry: false });
  if (stats !== undefined) {
    throw new UsageError(
      stats.isDirectory()
        ? namesDirectory(copy)
        : `${copy} exists: remove it, or name another file`,
    );
  }
}

const namesDirectory = (copy: string): string =>
  `${copy} is a directory: name a file in it`;

function createPartial(partial: string): void {
  try {
    closeSync(openSync(partial, "wx", 0o600));
  } catch (error) {
    const code = errorCode(error) ?? "unknown";
    throw code === "EEXIST"
      ? new UsageError(
          `${partial} exists: if no other backup is running, one was killed, so remove this file`,
        )
      : asBackupError(error, partial);
  }
}

/** Copies on a thread, so that this one can handle signals. */
async function copyOnThread(store: string, partial: string): Promise<void> {
  const thread = startThread(
    COPY_THREAD,
    { workerData: {}, transferList: [] },
    { now: Date.now, onCommit: () => undefined, onFatal: () => undefined },
  );
  try {
    await thread.call("open");
    await thread.call("copy", store, partial);
  } finally {
    await thread.end();
  }
}

/** Writes the content of a file, or the names in a directory, to the disk. */
async function sync(place: string): Promise<void> {
  const handle = await open(place, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function asBackupError(thrown: unknown, copy: string): unknown {
  if (thrown instanceof StoreError || thrown instanceof UsageError) {
    return thrown;
  }
  const code = errorCode(thrown) ?? "unknown";
  return new StoreError(`${copy}: the backup cannot be written (${code})`, {
    code,
    fatal: false,
  });
}
