// Builds when dist is missing or older than anything it is made of. An installation without sources needs nothing.
import { existsSync, readdirSync, statSync } from "node:fs";
import path from "node:path";

process.chdir(path.join(import.meta.dirname, ".."));

/** The newest change below a path; folders count, since a deleted file changes nothing else. */
function newest(place) {
  const stat = statSync(place);
  return stat.isDirectory()
    ? Math.max(
        stat.mtimeMs,
        ...readdirSync(place).map((name) => newest(path.join(place, name))),
      )
    : stat.mtimeMs;
}

const made = ["src", "tsconfig.json", "tsconfig.build.json", "package.json"];
const built = "dist/cli.js";
if (
  existsSync("src") &&
  !(
    existsSync(built) && statSync(built).mtimeMs > Math.max(...made.map(newest))
  )
) {
  await import("./build.mjs");
}
