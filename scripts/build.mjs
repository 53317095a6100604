// Compiles src to dist and puts the SQL files beside it.
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

process.chdir(path.join(import.meta.dirname, ".."));
rmSync("dist", { recursive: true, force: true });
const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
const { status } = spawnSync(
  process.execPath,
  [tsc, "-p", "tsconfig.build.json"],
  { stdio: "inherit" },
);
if (status !== 0) {
  // Half a build must not pass for a whole one.
  rmSync("dist", { recursive: true, force: true });
  process.exit(status ?? 1);
}
cpSync("src/store/sqlite/migrations", "dist/store/sqlite/migrations", {
  recursive: true,
});
chmodSync("dist/cli.js", 0o755);
