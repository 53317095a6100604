import { beforeAll, describe, expect, it } from "@jest/globals";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { eventually } from "../../support/eventually.ts";
import { eventBody, SECRET, signed, TODAY } from "../../support/fixtures.ts";
import { hexhook, type Result } from "../../support/hexhook.ts";
import { startHexApi } from "../../support/hex-api.ts";
import { CLI, environment, hexhookProcess } from "../../support/processes.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { openFile } from "../../support/store-file.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

/* Runs each command of the built program once in a separate process. Most other tests run commands in their own process. */

let folder: ReturnType<typeof temporaryFolder>;
let service: TestService;
let api: Awaited<ReturnType<typeof startHexApi>>;

beforeAll(async () => {
  folder = temporaryFolder();
  writeFileSync(path.join(folder.path, "key"), "a-write-key-0123456789");
  service = await startTestService(folder.path);
  api = await startHexApi();
  const body = eventBody("evt_0");
  await service.post(body, signed(body));
  await eventually(async () =>
    (await service.entries()).some(
      ({ action }) => action === "delivery.succeeded",
    ),
  );
});

function run(
  args: readonly string[],
  { input = "", env = {} }: { input?: string; env?: object } = {},
): Promise<Result> {
  return hexhookProcess(args, {
    cwd: folder.path,
    env: {
      HEX_SECRET: SECRET,
      HEX_SECRET_CREATED_AT: TODAY,
      DATABASE_URL: "sqlite:hexhook.db",
      PORT: String(service.port),
      HEX_API_URL: api.url,
      HEX_WRITE_KEY_FILE: "key",
      HEX_SCOPES: "read:health",
      ...env,
    },
    input,
  });
}

describe("in a separate process", () => {
  it.each<[string, string, RegExp]>([
    ["send --id evt_sent", "", /^1: evt_sent 200 accepted \(\d+ ms\)\n$/],
    ["sign", "{}", /^x-hex-timestamp: \d+\nx-hex-signature: [0-9a-f]{64}\n$/],
    ["audit verify", "", /^intact: \d+ entries by \d+ writers?\n/],
    ["audit scopes", "", /^read:health +/],
    ["events list", "", /^\d{4}-\d\d-\d\d .* hex evt_0 /m],
    ["events show evt_0", "", /\bevt_0\b/],
    ["events redeliver evt_0", "", /^1 delivery redelivered\n$/],
    ["secrets generate", "", /^[0-9a-f]{64}\n$/],
    ["secrets check", "", /^HEX_SECRET [0-9a-f]{8} of source hex\n/],
    ["keys check", "", /^HEX_WRITE_KEY +[0-9a-f]{8} +ok/],
    ["migrate", "", /^the schema of hexhook\.db is up to date/],
    ["doctor", "", /^PASS {2}API keys in the environment\n/],
  ])("`hexhook %s` exits with 0", async (line, input, stdout) => {
    const result = await run(line.split(" "), { input });
    expect(result.stdout).toMatch(stdout);
    expect(result.code).toBe(0);
  });

  it.each<[string, string, number, RegExp]>([
    ["verify", "x: y\n\n{}", 1, /^not verified: missing_signature\n$/],
    ["audit verify -", "nothing here\n", 2, /undecidable/],
    ["events show evt_none", "", 1, /^$/],
  ])("`hexhook %s` exits with its code", async (line, input, code, stdout) => {
    const result = await run(line.split(" "), { input });
    expect(result.stdout).toMatch(stdout);
    expect(result.code).toBe(code);
  });

  it("a command prints the same as in the process of a test", async () => {
    const cwd = folder.path;
    for (const args of [
      ["--help"],
      ["send", "--help"],
      ["send", "--nonsense"],
    ]) {
      expect(await hexhookProcess(args, { cwd })).toEqual(
        await hexhook(args, { cwd }),
      );
    }
  });

  it("serve exits with 78 and prints a line for each error of the configuration", async () => {
    const { code, stderr, stdout } = await hexhookProcess(["serve"], {
      cwd: folder.path,
      env: { HEX_SECRET: "short-geheim", PORT: "x" },
    });
    expect(code).toBe(78);
    expect(stdout).toBe("");
    expect(stderr.trim().split("\n")).toEqual([
      expect.stringMatching(/^hexhook: PORT: /),
      expect.stringMatching(/^hexhook: HEX_SECRET: /),
    ]);
    expect(stderr).not.toContain("geheim");
  });

  it("serve exits with 70 when the store has a newer schema version", async () => {
    const db = openFile(path.join(folder.path, "newer.db"));
    db.exec("PRAGMA user_version = 9999");
    db.close();
    const env = { DATABASE_URL: "sqlite:newer.db", PORT: "0", ADMIN_PORT: "0" };
    const { code, stderr } = await run(["serve"], { env });
    expect(code).toBe(70);
    expect(stderr).toMatch(/newer than this program's/);
  });

  it("a command exits with 0 when the reader of its output is gone, and with 70 when its output cannot be written", async () => {
    const ends = async (where: string, ...args: string[]) => {
      const child = spawn(
        "/bin/bash",
        [
          "-c",
          `("$0" "$@"; echo "exit $?" >&2) ${where}`,
          process.execPath,
        ].concat([CLI, "audit", ...args]),
        {
          cwd: folder.path,
          env: environment({ DATABASE_URL: "sqlite:hexhook.db" }),
          stdio: ["ignore", "ignore", "pipe"],
        },
      );
      let stderr = "";
      child.stderr.on("data", (chunk: Buffer) => {
        stderr += chunk.toString();
      });
      await once(child, "close");
      return stderr;
    };
    expect(await ends("> /dev/full", "tail")).toBe(
      "hexhook: cannot write the output (ENOSPC)\nexit 70\n",
    );
    expect(await ends("| true", "tail")).toBe("exit 0\n");
    // A failed check has the same exit code when its output cannot be written.
    writeFileSync(path.join(folder.path, "none.log"), "nothing\n");
    expect(await ends("| true", "verify", "none.log")).toBe("exit 2\n");
  });
});
