import { describe, expect, it } from "@jest/globals";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { cleanUp } from "../support/cleanup.ts";
import { eventually } from "../support/eventually.ts";
import { eventBody, signed } from "../support/fixtures.ts";
import { environment, serve } from "../support/processes.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const NO_STRACE = spawnSync("strace", ["-f", "true"]).status !== 0;

/** Records the calls of a process from now on, with the paths of descriptors. */
async function trace(pid: number, calls: string): Promise<() => string[]> {
  const log = path.join(temporaryFolder().path, "calls");
  const tracer = spawn(
    "strace",
    ["-f", "-y", "-o", log, "-e", `trace=${calls}`, "-p", String(pid)],
    { stdio: ["ignore", "ignore", "pipe"], env: environment({}) },
  );
  const ended = once(tracer, "close");
  cleanUp(async () => {
    tracer.kill("SIGTERM");
    await ended;
  });
  let said = "";
  tracer.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  await eventually(() => {
    if (tracer.exitCode !== null) {
      throw new Error(said);
    }
    return said.includes("attached");
  });
  return () => readFileSync(log, "utf8").split("\n");
}

(NO_STRACE ? describe.skip : describe)(
  `AUDIT_FILE${NO_STRACE ? " (skipped: there is no strace)" : ""}`,
  () => {
    it("is synced to the disk after each write", async () => {
      const folder = temporaryFolder().path;
      const file = path.join(folder, "audit.log");
      writeFileSync(path.join(folder, "none.mjs"), "export default {};\n");
      const service = await serve(folder, {
        HANDLERS: "none.mjs",
        AUDIT_FILE: file,
      });
      const calls = await trace(service.child.pid!, "write,fdatasync,fsync");
      const body = eventBody("evt_synced");
      expect((await service.post(body, signed(body))).status).toBe(200);
      await eventually(() => readFileSync(file, "utf8").includes("evt_synced"));
      const onFile = () =>
        calls()
          .filter((call) => call.includes(`<${file}>`))
          .map((call) => /^\d+ +(\w+)\(/.exec(call)?.[1]);
      await eventually(() => onFile().some((call) => call !== "write"));
      const [first, second] = onFile();
      expect(first).toBe("write");
      expect(second).toMatch(/^f(?:data)?sync$/);
    });
  },
);
