import {
  accessSync,
  constants,
  mkdtempSync,
  rmSync,
  statfsSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { cleanUp } from "./cleanup.ts";

const SHARED_MEMORY = "/dev/shm";
const ENOUGH_BYTES = 2 * 1024 ** 3;

export interface TemporaryFolder {
  readonly path: string;
}

/** Creates a directory that is deleted when the test ends. It is in memory if the machine has enough. */
export function temporaryFolder(): TemporaryFolder {
  const folder = mkdtempSync(path.join(temporaryRoot(), "hexhook-test-"));
  cleanUp(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return { path: folder };
}

/** Returns the directory for temporary files: in memory if the machine has enough. */
export function temporaryRoot(): string {
  try {
    accessSync(SHARED_MEMORY, constants.W_OK);
    const { bavail, bsize } = statfsSync(SHARED_MEMORY);
    return bavail * bsize >= ENOUGH_BYTES ? SHARED_MEMORY : tmpdir();
  } catch {
    return tmpdir();
  }
}
