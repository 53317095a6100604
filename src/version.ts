import { readFileSync } from "node:fs";
import { PROGRAM_FOLDER } from "./program-folder.ts";

/** The version in package.json, which is in the parent directory of both `src` and `dist`. */
export const VERSION: string = (
  JSON.parse(
    readFileSync(new URL("../package.json", PROGRAM_FOLDER), "utf8"),
  ) as { version: string }
).version;
