import { existsSync, mkdirSync } from "node:fs";
import path from "node:path";
import { errorCode, StoreError } from "../errors.ts";
import { writeObstacle } from "./write-access.ts";

/**
 * Makes a folder and those above it, for this user alone. Throws StoreError. Does not use mkdir's own recursion, which never
 * ends where making a folder in an existing one fails with ENOENT (/proc).
 */
export function makeFolder(folder: string): void {
  if (!existsSync(folder)) {
    makeFolder(path.dirname(folder));
    try {
      mkdirSync(folder, { mode: 0o700 });
    } catch (error) {
      // Another process may have been quicker.
      if (errorCode(error) !== "EEXIST") {
        const why =
          writeObstacle(path.dirname(folder)) ??
          "set DATABASE_URL to a place that can be written";
        throw new StoreError(
          `cannot make the folder ${folder} (${errorCode(error) ?? "unknown"}): ${why}`,
          { code: "STORE_FOLDER", fatal: false },
        );
      }
    }
  }
}

/** Throws StoreError when this process may not write to a file of the store that is there, or to the folder. */
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
