import { existsSync, mkdirSync } from "node:fs";
import path from "node:path";
import { errorCode, StoreError } from "../errors.ts";
import { writeObstacle } from "./write-access.ts";

/**
 * Creates a directory and its missing parents. Only this user can access them. Throws StoreError. It does not use the
 * `recursive` option of mkdir: in a directory such as /proc, where mkdir fails with ENOENT, that option never returns.
 */
export function makeFolder(folder: string): void {
  if (!existsSync(folder)) {
    makeFolder(path.dirname(folder));
    try {
      mkdirSync(folder, { mode: 0o700 });
    } catch (error) {
      // Another process may have created it first.
      if (errorCode(error) !== "EEXIST") {
        const why =
          writeObstacle(path.dirname(folder)) ??
          "set DATABASE_URL to a path in a writable directory";
        throw new StoreError(
          `cannot create the directory ${folder} (${errorCode(error) ?? "unknown"}): ${why}`,
          { code: "STORE_FOLDER", fatal: false },
        );
      }
    }
  }
}

/** Throws StoreError if this process has no permission to write to the file, if it exists, or to its directory. */
export function requireWritable(file: string): void {
  const obstacle =
    writeObstacle(path.resolve(path.dirname(file))) ?? writeObstacle(file);
  if (obstacle !== null) {
    throw new StoreError(`the store cannot be written: ${obstacle}`, {
      code: "STORE_NOT_WRITABLE",
      fatal: false,
    });
  }
}
