import { randomBytes } from "node:crypto";
import {
  type FileHandle,
  link,
  open,
  readFile,
  realpath,
  rename,
  rm,
  stat,
} from "node:fs/promises";
import path from "node:path";

/** A file with new content. The old content is kept until `restore` or `keep` is called. */
export interface ReplacedFile {
  /** Restores the old content, which needs no disk space. Returns false if another process has changed the file since. */
  readonly restore: () => Promise<boolean>;
  /** Deletes the old content. */
  readonly keep: () => Promise<void>;
}

/**
 * Replaces a file atomically: a reader gets the complete old or the complete new content, also after a crash. Mode and owner are
 * preserved. The target of a symbolic link is replaced, not the link. If this rejects, the file is unchanged.
 */
export async function replaceFile(
  file: string,
  content: string,
): Promise<ReplacedFile> {
  const target = await realpath(file);
  const folder = path.dirname(target);
  const suffix = randomBytes(4).toString("hex");
  const fresh = `${target}.new-${suffix}`;
  const old = `${target}.old-${suffix}`;
  let isReplaced = false;
  try {
    await writeFresh(fresh, content, target);
    await link(target, old);
    await rename(fresh, target);
    isReplaced = true;
    await syncFolder(folder);
  } catch (error) {
    if (isReplaced) {
      await rename(old, target);
    }
    await Promise.all([fresh, old].map((made) => rm(made, { force: true })));
    throw error;
  }
  return {
    async restore() {
      if ((await readFile(target, "utf8").catch(() => null)) !== content) {
        await rm(old, { force: true });
        return false;
      }
      await rename(old, target);
      await syncFolder(folder);
      return true;
    },
    async keep() {
      await rm(old, { force: true });
    },
  };
}

/** Writes a new file with the mode and owner of `original`. Until then its mode is 0600, so that no other user can read it. */
async function writeFresh(
  file: string,
  content: string,
  original: string,
): Promise<void> {
  const { mode, uid, gid } = await stat(original);
  await withFile(file, "wx", async (handle) => {
    await handle.writeFile(content);
    const made = await handle.stat();
    if (made.uid !== uid || made.gid !== gid) {
      await handle.chown(uid, gid);
    }
    await handle.chmod(mode & 0o777);
    await handle.sync();
  });
  if ((await readFile(file, "utf8")) !== content) {
    throw new Error("the file does not contain what was written to it");
  }
}

async function syncFolder(folder: string): Promise<void> {
  await withFile(folder, "r", (handle) => handle.sync());
}

async function withFile(
  file: string,
  flags: string,
  use: (handle: FileHandle) => Promise<void>,
): Promise<void> {
  const handle = await open(file, flags, 0o600);
  try {
    await use(handle);
  } finally {
    await handle.close();
  }
}
