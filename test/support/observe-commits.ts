import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { environment } from "./processes.ts";
import { inProject } from "./project.ts";

/**
 * Makes one write with a built store, and returns the settings of each connection that committed, as SQLite reports them.
 * `open` is the function of `dist/store.js` that opens the store.
 */
export async function observeCommits(
  folder: string,
  open: "openStore" | "openStoreOnThreads",
): Promise<{ journalMode: unknown; synchronous: unknown }[]> {
  const preload = path.join(folder, "observe.mjs");
  // Runs in each thread before the driver is loaded.
  writeFileSync(
    preload,
    `import { writeSync } from "node:fs";
     import { createRequire } from "node:module";
     const { getBuiltinModule } = process;
     const sqlite = getBuiltinModule("node:sqlite")
       ?? createRequire(${JSON.stringify(inProject("package.json"))})("@photostructure/sqlite");
     class Observed extends sqlite.DatabaseSync {
       prepare(sql) {
         const statement = super.prepare(sql);
         if (sql !== "COMMIT") {
           return statement;
         }
         const read = (name) => Object.values(super.prepare("PRAGMA " + name).get())[0];
         return {
           run: () => {
             const result = statement.run();
             const [journalMode, synchronous] = [read("journal_mode"), read("synchronous")];
             writeSync(1, JSON.stringify({ journalMode, synchronous }) + "\\n");
             return result;
           },
         };
       }
     }
     process.getBuiltinModule = (name) =>
       name === "node:sqlite" ? { ...sqlite, DatabaseSync: Observed } : getBuiltinModule(name);`,
  );
  const url = (...names: string[]): string =>
    JSON.stringify(pathToFileURL(inProject("dist", ...names)));
  const script = `
    import { generateKeyPairSync } from "node:crypto";
    const { ${open}, endStoreThreads } = await import(${url("store.js")});
    // Threads alone do not keep a process alive.
    const alive = setInterval(() => undefined, 1000);
    const store = await ${open}(
      { driver: "sqlite", file: ${JSON.stringify(path.join(folder, "observed.db"))} },
      { writer: "w", signingKey: generateKeyPairSync("ed25519").privateKey, now: Date.now, onFatal: () => undefined, delivers: false },
    );
    await store.setPaused("d", { at: 1, by: "alice" }, {
      at: 1, action: "server.started", userId: "system", resource: "test", result: "success", metadata: {},
    });
    await store.close();
    await endStoreThreads();
    clearInterval(alive);`;
  // Threads inherit the flags of the process, so --eval cannot be used.
  const main = path.join(folder, "main.mjs");
  writeFileSync(main, script);
  const child = spawn(process.execPath, ["--import", preload, main], {
    env: environment({}),
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) {
    throw new Error(`the store ended with ${code}: ${stderr}`);
  }
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as never);
}
