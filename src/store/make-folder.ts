import { existsSync, mkdirSync } from "node:fs";
import path from "node:path";
import { errorCode, StoreError } from "../errors.ts";

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
        throw new StoreError(
          `cannot make the folder ${folder} (${errorCode(error) ?? "unknown"}): set DATABASE_URL to a place that can be written`,
          { code: "STORE_FOLDER", fatal: false },
        );
      }
    }
  }
}
