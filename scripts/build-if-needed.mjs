// Builds if dist is missing, or older than any of its sources. Does nothing in an installation without sources.
import { existsSync, readdirSync, statSync } from "node:fs";
import path from "node:path";

process.chdir(path.join(import.meta.dirname, ".."));

/** Returns the newest modification time below a path. Directories count, because a deleted file changes only its directory. */
function newest(place) {
  const stat = statSync(place);
  return stat.isDirectory()
    ? Math.max(
        stat.mtimeMs,
        ...readdirSync(place).map((name) => newest(path.join(place, name))),
      )
    : stat.mtimeMs;
}

const sources = [
  "src",
  "scripts/build.mjs",
  "tsconfig.json",
  "tsconfig.build.json",
  "package.json",
];
const built = "dist/cli.js";
if (
  existsSync("src") &&
  !(
    existsSync(built) &&
    statSync(built).mtimeMs > Math.max(...sources.map(newest))
  )
) {
  await import("./build.mjs");
}
