import { beforeEach, describe, expect, it } from "@jest/globals";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import path from "node:path";
import type { Environment } from "../../../src/config/load-config.ts";
import { cleanUp } from "../../support/cleanup.ts";
import { eventually } from "../../support/eventually.ts";
import { SECRET } from "../../support/fixtures.ts";
import { hexhook } from "../../support/hexhook.ts";
import {
  CLI,
  environment,
  hexhookOnTerminal,
  itWithPython,
} from "../../support/processes.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const ENV = { HEX_SECRET: SECRET, DATABASE_URL: "sqlite:hexhook.db" };

let folder: ReturnType<typeof temporaryFolder>;
let service: TestService;

beforeEach(async () => {
  folder = temporaryFolder();
  service = await startTestService(folder.path);
});

const run = (
  args: readonly string[],
  input: string | Buffer = "",
  env: Environment = {},
) =>
  hexhook(args, {
    cwd: folder.path,
    env: {
      HEX_SECRET: SECRET,
      DATABASE_URL: "sqlite:hexhook.db",
      PORT: String(service.port),
      ...env,
    },
    input,
  });

/** Returns the trail that a service has printed, from its start over one delivery to its stop. */
async function trailOnStdout(): Promise<string> {
  await run(["send"]);
  await service.stop();
  return service.stdout.text;
}

describe("hexhook audit", () => {
  it("tail shows entries by filter, readable or as they are stored", async () => {
    await run(["send", "--id", "evt_tail", "--tamper", "body"]);
    await run(["send", "--id", "evt_tail"]);

    const accepted = await run([
      "audit",
      "tail",
      "--json",
      "--action",
      "webhook.a*",
      "--since",
      "1h",
      "--source",
      "hex",
    ]);
    const lines = accepted.stdout.trim().split("\n");
    expect(lines.at(-1)).toContain('"eventId":"evt_tail"');
    expect(lines.every((line) => line.includes("webhook.accepted"))).toBe(true);

    const failed = await run([
      "audit",
      "tail",
      "--result",
      "failure",
      "-n",
      "1",
    ]);
    expect(failed.stdout).toMatch(
      /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ FAIL webhook\.rejected bad_signature hex 401 127\.0\.0\.1\n {4}request=[\w-]+\n {4}sha256=[0-9a-f]{64}\n$/,
    );
    const pretty = await run(["audit", "tail"]);
    expect(
      Math.max(...pretty.stdout.split("\n").map(({ length }) => length)),
    ).toBeLessThanOrEqual(80);
    expect(pretty.stdout).not.toContain("\u001b");
  });

  it("tail -f prints new entries, also after a restart of the service", async () => {
    const child = spawn(
      process.execPath,
      [CLI, "audit", "tail", "-f", "--json", "--action", "webhook.accepted"],
      {
        cwd: folder.path,
        env: environment(ENV),
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    cleanUp(() => child.kill("SIGKILL"));
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    await run(["send", "--id", "evt_follow_1"]);
    await eventually(() => text.includes("evt_follow_1"));
    await service.stop();
    service = await startTestService(folder.path);
    await run(["send", "--id", "evt_follow_2"]);
    await eventually(() => text.includes("evt_follow_2"));
    child.kill("SIGTERM");
    await once(child, "close");
    expect(text.match(/evt_follow_\d/g)).toEqual([
      "evt_follow_1",
      "evt_follow_2",
    ]);
  });

  it("verify finds the store intact, and the lines of stdout in a file or a pipe", async () => {
    const printed = await trailOnStdout();
    const store = await run(["audit", "verify"]);
    expect(store.stdout).toMatch(/^intact: \d+ entries by 1 writer\n/);
    expect(store.code).toBe(0);

    const pipe = await run(
      ["audit", "verify", "-"],
      `a line of something else\n${printed}`,
    );
    expect(pipe.code).toBe(0);
    expect(pipe.stdout).toContain("1 other line was skipped");
    const file = path.join(folder.path, "trail.log");
    writeFileSync(file, printed.replaceAll("[AUDIT] ", ""));
    expect(await run(["audit", "verify", "--file", "trail.log"])).toMatchObject(
      { code: 0 },
    );
  });

  it("verify exits with 1 and names the writer and seq of a missing line, and with 2 without any entry", async () => {
    const lines = (await trailOnStdout())
      .replaceAll("[AUDIT] ", "")
      .trim()
      .split("\n");
    const { chain } = JSON.parse(lines[1]!) as { chain: { writer: string } };
    lines.splice(1, 1);
    const cut = await run(["audit", "verify", "--file", "-"], lines.join("\n"));
    expect(cut.code).toBe(1);
    expect(cut.stdout).toContain(
      `TAMPERED: writer ${chain.writer}, seq 2: missing`,
    );
    const json = await run(
      ["audit", "verify", "--json", "-"],
      lines.join("\n"),
    );
    expect(JSON.parse(json.stdout)).toMatchObject({
      verdict: "tampered",
      writers: [{ fault: { seq: 2, code: "missing" } }],
    });
    expect(await run(["audit", "verify", "-"], "nothing here\n")).toMatchObject(
      { code: 2, stdout: expect.stringContaining("undecidable") },
    );
  });

  itWithPython("tail has colours on a terminal, and nowhere else", async () => {
    await run(["send"]);
    await run(["send", "--tamper", "body"]);
    await eventually(async () =>
      (await service.entries()).some(
        ({ action }) => action === "webhook.rejected",
      ),
    );
    const env = { DATABASE_URL: "sqlite:hexhook.db" };
    const args = ["audit", "tail"];
    const seen = await hexhookOnTerminal(args, { cwd: folder.path, env });
    expect(seen.stdout).toContain("\u001b[32mok  \u001b[0m");
    expect(seen.stdout).toContain("\u001b[31mFAIL\u001b[0m");
    const { stdout } = await run(args);
    expect(stdout).toMatch(/^[\n\x20-\x7e]+$/);
    expect(stdout).toContain(" FAIL webhook.rejected ");
  });

  it("tail rejects an invalid time and --follow with --until, and reports an empty result", async () => {
    for (const when of ["2026-02-30", "yesterday", "2026-11-24 25:00:00Z"]) {
      const rejected = await run(["audit", "tail", "--since", when]);
      expect(rejected.code).toBe(64);
      expect(rejected.stderr).toContain("15m, 2h or 3d");
    }
    await run(["send"]);
    // `tail` accepts times in the format that it prints.
    const shown = (await run(["audit", "tail", "-n", "1"])).stdout.slice(0, 20);
    expect(await run(["audit", "tail", "--since", shown])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(shown),
    });
    expect(await run(["audit", "tail", "--event", "evt_none"])).toMatchObject({
      code: 0,
      stdout: "",
      stderr: expect.stringMatching(/^hexhook: no entry matches; .*failure/),
    });
    const endless = await run(["audit", "tail", "-f", "--until", "1h"]);
    expect(endless.code).toBe(64);
  });

  it("needs no secret, only DATABASE_URL", async () => {
    const env = { DATABASE_URL: "sqlite:hexhook.db" };
    const cwd = folder.path;
    expect((await hexhook(["audit", "verify"], { cwd, env })).code).toBe(0);
    expect((await hexhook(["audit", "tail"], { cwd, env })).code).toBe(0);
  });
});
