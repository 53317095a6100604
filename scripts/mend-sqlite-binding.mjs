// After npm has installed: builds better-sqlite3 again where its binding would end the process on this Node (see
// object-wrap.h). A binding without the fault, as on Node 20 or where a good one was downloaded, is left alone. To go when
// better-sqlite3 no longer uses node::ObjectWrap, or Node's no longer asserts.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

const root = path.join(import.meta.dirname, "..");
const module = path.join(root, "node_modules", "better-sqlite3");
const binding = path.join(module, "build", "Release", "better_sqlite3.node");

/** Only node::ObjectWrap calls it, and only in headers that have the fault. */
const isFaulty = () =>
  readFileSync(binding).includes("RemoveEnvironmentCleanupHook");

if (isFaulty()) {
  console.log("building better-sqlite3 again for this version of Node");
  const nodeGyp = process.env.npm_config_node_gyp;
  const header = path.join(import.meta.dirname, "object-wrap.h");
  const flags = [process.env.CXXFLAGS, `-include "${header}"`];
  // What was compiled here just now is there still; a downloaded binding came without.
  const half = existsSync(path.join(module, "build", "Makefile"));
  const { status } = spawnSync(
    process.execPath,
    [nodeGyp ?? "", half ? "build" : "rebuild", "--release"],
    {
      cwd: module,
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, CXXFLAGS: flags.filter(Boolean).join(" ") },
    },
  );
  if (status !== 0 || isFaulty()) {
    console.error(
      `better-sqlite3 could not be built for Node ${process.version}: it needs python3, make and g++ (run this with npm ci)`,
    );
    process.exit(1);
  }
}
