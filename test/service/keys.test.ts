import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { inProject } from "../support/project.ts";
import type { Environment } from "../../src/config/load-config.ts";
import { keyIdOf } from "../../src/domain/key-id.ts";
import { replaceFile } from "../../src/key-rotation/replace-file.ts";
import {
  type RotationDeps,
  rotateKey,
} from "../../src/key-rotation/rotate-key.ts";
import { readTrail } from "../support/read-trail.ts";
import { SECRET, TODAY } from "../support/fixtures.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { startHexApi } from "../support/hex-api.ts";
import { hexhook } from "../support/hexhook.ts";
import { CLI, environment, serve } from "../support/processes.ts";

const OLD_KEY = "old-write-key-0123456789";
const NEW_KEY = "new-write-key-9876543210";

let api: Awaited<ReturnType<typeof startHexApi>>;
let folder: ReturnType<typeof temporaryFolder>;
let running: Awaited<ReturnType<typeof serve>> | null = null;
/** Keys that the API takes. */
let good: Set<string>;

beforeEach(async () => {
  folder = temporaryFolder();
  good = new Set([OLD_KEY, NEW_KEY]);
  api = await startHexApi();
  api.otherwise((res, call, take) => {
    const taken = good.has(call.key.replace("Bearer ", ""));
    if (taken) {
      take();
    }
    res.writeHead(taken ? 200 : 401).end("{}");
  });
});

afterEach(async () => {
  running?.child.kill("SIGKILL");
  await running?.exited;
  running = null;
  await api.stop();
});

const inFolder = (name: string): string => path.join(folder.path, name);
const keyFile = (): string => inFolder("write-key");

const env = (more: Environment = {}): Environment => ({
  HEX_API_URL: api.url,
  DATABASE_URL: "sqlite:hexhook.db",
  ...more,
});

const run = (args: readonly string[], more: Environment = {}, input?: string) =>
  hexhook(args, {
    cwd: folder.path,
    env: env(more),
    ...(input === undefined ? {} : { input }),
  });

/** A running service whose write key is in a file. */
async function start(content = `${OLD_KEY}\n`): Promise<void> {
  writeFileSync(keyFile(), content, { mode: 0o640 });
  running = await serve(folder.path, env({ HEX_WRITE_KEY_FILE: keyFile() }));
}

const rotate = (input: string, ...more: readonly string[]) =>
  run(
    ["keys", "rotate", "--from", "-", ...more],
    { HEX_WRITE_KEY_FILE: keyFile() },
    input,
  );

/** Without the line ends that fit it into 80 columns. */
const plain = (text: string): string => text.replace(/\s+/g, " ");

const trail = () => readTrail(inFolder("hexhook.db"));

/** The key that the running service sends audit entries with. */
const lastTrackKey = (): string | undefined =>
  api.calls.filter(({ path: at }) => at === "/v1/track").at(-1)?.key;

describe("hexhook keys check", () => {
  it("asks the API with each key, says which it takes, and audits each call in the operator's name", async () => {
    const keys = {
      HEX_READ_KEY: OLD_KEY,
      HEX_WRITE_KEY: "revoked-key-0123456789",
    };
    const { code, stdout } = await run(["keys", "check", "--as", "eve"], keys);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^HEX_READ_KEY +[0-9a-f]{8} +ok/);
    expect(stdout).toMatch(/\nHEX_WRITE_KEY +[0-9a-f]{8} +FAILED: .*401/);
    expect(stdout).not.toMatch(/0123456789/);
    expect(api.calls.map(({ method, path: at }) => `${method} ${at}`)).toEqual([
      "GET /health",
      "GET /health",
    ]);
    const calls = (await trail()).filter(
      ({ action }) => action === "hex.api.call",
    );
    expect(calls).toMatchObject([
      {
        userId: "operator:eve",
        result: "success",
        metadata: { keyId: keyIdOf(OLD_KEY) },
      },
      { userId: "operator:eve", result: "failure", metadata: { status: 401 } },
    ]);
  });

  it("gives one JSON object a line, and 0 when all are taken", async () => {
    const { code, stdout } = await run(["keys", "check", "--json"], {
      HEX_API_KEY: OLD_KEY,
    });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      variable: "HEX_API_KEY",
      keyId: keyIdOf(OLD_KEY),
      ok: true,
    });
  });

  it("sends nothing where read:health is not granted, and says that there is no key", async () => {
    const denied = await run(["keys", "check"], {
      HEX_READ_KEY: OLD_KEY,
      HEX_SCOPES: "write:audit",
    });
    expect(denied.code).toBe(1);
    expect(plain(denied.stdout)).toMatch(
      /read:health: HEX_SCOPES does not grant it/,
    );
    expect(api.calls).toEqual([]);
    const none = await run(["keys", "check"]);
    expect([none.code, none.stderr]).toEqual([
      78,
      expect.stringMatching(/HEX_READ_KEY: no key/),
    ]);
  });
});

describe("hexhook keys rotate", () => {
  it("proves the new key, writes it, has the service take it, and proves it again", async () => {
    await start();
    const { code, stdout, stderr } = await rotate(
      `${NEW_KEY}\n`,
      "--as",
      "eve",
    );
    expect([code, stderr]).toEqual([0, ""]);
    expect(plain(stdout)).toContain(
      `now revoke ${keyIdOf(OLD_KEY)} in the Hex dashboard`,
    );
    expect(readFileSync(keyFile(), "utf8")).toBe(`${NEW_KEY}\n`);
    expect(statSync(keyFile()).mode & 0o777).toBe(0o640);
    expect(
      readdirSync(folder.path).filter((name) => name.startsWith("write-key")),
    ).toEqual(["write-key"]);
    expect(
      api.calls
        .filter(({ path: at }) => at === "/health")
        .map(({ key }) => key),
    ).toEqual([`Bearer ${NEW_KEY}`, `Bearer ${NEW_KEY}`]);
    const entries = await trail();
    expect(entries).toContainEqual(
      expect.objectContaining({
        action: "secret.reloaded",
        result: "success",
        metadata: expect.objectContaining({
          variable: "HEX_WRITE_KEY",
          keyId: keyIdOf(NEW_KEY),
        }),
      }),
    );
    expect(
      entries.filter(({ userId }) => userId === "operator:eve").length,
    ).toBeGreaterThan(3);
    await running!.stop();
    expect(lastTrackKey()).toBe(`Bearer ${NEW_KEY}`);
    expect(stdout + running!.stdout() + running!.stderr()).not.toMatch(
      /write-key-\d/,
    );
  });

  it("leaves the old key when the API refuses the new one", async () => {
    await start();
    good.delete(NEW_KEY);
    const { code, stdout } = await rotate(NEW_KEY);
    expect(code).toBe(1);
    expect(plain(stdout)).toMatch(/FAILED .*401/);
    expect(plain(stdout)).toMatch(/kept .*in force as before/);
    expect(readFileSync(keyFile(), "utf8")).toBe(`${OLD_KEY}\n`);
  });

  it("leaves the old key when its folder cannot be written to", async () => {
    mkdirSync(inFolder("secrets"));
    const file = inFolder("secrets/key");
    writeFileSync(file, OLD_KEY);
    chmodSync(inFolder("secrets"), 0o555);
    // Root may write anywhere: there an immutable folder would be needed, so a link to /proc stands in.
    const unwritable = process.getuid?.() === 0 ? "/proc/self/comm" : file;
    symlinkSync(unwritable, inFolder("link"));
    const { code, stdout } = await run(
      ["keys", "rotate", "--from", "-", "--offline"],
      { HEX_WRITE_KEY_FILE: unwritable === file ? file : inFolder("link") },
      NEW_KEY,
    );
    chmodSync(inFolder("secrets"), 0o755);
    expect(code).toBe(1);
    expect(plain(stdout)).toMatch(/FAILED/);
    expect(plain(stdout)).toMatch(/kept/);
    expect(readFileSync(file, "utf8")).toBe(OLD_KEY);
  });

  it("puts the old key back when the service does not take the new one", async () => {
    await start();
    running!.child.kill("SIGSTOP");
    const { code, stdout } = await rotate(NEW_KEY, "--within", "1");
    running!.child.kill("SIGCONT");
    expect(code).toBe(1);
    expect(plain(stdout)).toMatch(/FAILED .*has not said that it took it/);
    expect(readFileSync(keyFile(), "utf8")).toBe(`${OLD_KEY}\n`);
    expect(
      readdirSync(folder.path).filter((name) => name.startsWith("write-key")),
    ).toEqual(["write-key"]);
  });

  it("puts the old key back when the service refuses its configuration", async () => {
    await start();
    // Somebody has broken another part of it meanwhile.
    writeFileSync(inFolder(".env"), "HEX_SCOPES=all\n");
    const { code, stdout } = await run(
      ["keys", "rotate", "--from", "-"],
      { HEX_WRITE_KEY_FILE: keyFile(), HEX_SCOPES: "read:health" },
      NEW_KEY,
    );
    expect(code).toBe(1);
    expect(plain(stdout)).toMatch(
      /FAILED .*the service refused it: HEX_SCOPES/,
    );
    expect(readFileSync(keyFile(), "utf8")).toBe(`${OLD_KEY}\n`);
  });

  it("comes to its end and its exit code though nobody reads what it says", async () => {
    await start();
    const child = spawn(
      "bash",
      [
        "-c",
        '("$0" "$@"; echo "exit $?" >&2) | head -c 1',
        process.execPath,
        CLI,
        "keys",
        "rotate",
        "--from",
        "-",
      ],
      {
        cwd: folder.path,
        env: environment(env({ HEX_WRITE_KEY_FILE: keyFile() })),
      },
    );
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.stdin.end(NEW_KEY);
    await once(child, "close");
    expect(stderr).toContain("exit 0\n");
    expect(readFileSync(keyFile(), "utf8")).toBe(`${NEW_KEY}\n`);
    expect(
      readdirSync(folder.path).filter((name) => name.startsWith("write-key")),
    ).toEqual(["write-key"]);
  });

  it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "puts the old key back when it is interrupted by %s",
    async (signal) => {
      await start();
      running!.child.kill("SIGSTOP");
      const child = spawn(
        process.execPath,
        [CLI, "keys", "rotate", "--from", "-"],
        {
          cwd: folder.path,
          env: environment(env({ HEX_WRITE_KEY_FILE: keyFile() })),
        },
      );
      let stdout = "";
      let isSent = false;
      child.stdout.on("data", (chunk: Buffer) => {
        stdout += chunk.toString();
        // Once: a second signal could reach the process after it has removed its handlers.
        if (!isSent && stdout.includes("the new key is in its file")) {
          isSent = true;
          child.kill(signal);
        }
      });
      child.stdin.end(NEW_KEY);
      const [code] = (await once(child, "close")) as [number];
      running!.child.kill("SIGCONT");
      expect(code).toBe(1);
      expect(plain(stdout)).toMatch(/kept/);
      expect(readFileSync(keyFile(), "utf8")).toBe(`${OLD_KEY}\n`);
    },
  );

  it("needs no service with --offline, and follows a link without replacing it", async () => {
    writeFileSync(inFolder("real"), OLD_KEY);
    symlinkSync("real", keyFile());
    const { code, stdout } = await rotate(NEW_KEY, "--offline", "--json");
    expect(code).toBe(0);
    const lines = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as object);
    expect(lines.at(-1)).toEqual({
      ok: true,
      variable: "HEX_WRITE_KEY",
      keyId: keyIdOf(NEW_KEY),
      revoke: keyIdOf(OLD_KEY),
    });
    expect(readFileSync(inFolder("real"), "utf8")).toBe(NEW_KEY);
  });

  it.each([
    ["the old key", OLD_KEY, 64, /is the old one/],
    ["nothing", "", 64, /is blank/],
    ["a placeholder", "changeme", 64, /placeholder/],
    ["two words", "two words", 64, /visible ASCII/],
    [
      "a live key outside production",
      "sk_live_" + "4f9Qz7Lm2Xw8Rt5Y",
      64,
      /live key/,
    ],
  ])(
    "refuses %s in one line, before anything is sent",
    async (_what, given, exit, line) => {
      writeFileSync(keyFile(), OLD_KEY);
      const { code, stderr } = await rotate(given, "--offline");
      expect(code).toBe(exit);
      expect(stderr).toMatch(line);
      expect(stderr.trim().split("\n")).toHaveLength(1);
      expect(api.calls).toEqual([]);
    },
  );

  it("says what to do where a key has no file, several have one, or nobody can be asked", async () => {
    const direct = await run(["keys", "rotate"], { HEX_WRITE_KEY: OLD_KEY });
    expect([direct.code, direct.stderr]).toEqual([
      78,
      expect.stringMatching(/HEX_WRITE_KEY_FILE/),
    ]);
    writeFileSync(keyFile(), OLD_KEY);
    writeFileSync(inFolder("read-key"), NEW_KEY);
    const files = {
      HEX_WRITE_KEY_FILE: keyFile(),
      HEX_READ_KEY_FILE: inFolder("read-key"),
    };
    const several = await run(["keys", "rotate"], files);
    expect([several.code, several.stderr]).toEqual([
      64,
      expect.stringMatching(/--key/),
    ]);
    const silent = await run(
      ["keys", "rotate", "--key", "HEX_READ_KEY"],
      files,
    );
    expect([silent.code, silent.stderr]).toEqual([
      64,
      expect.stringMatching(/--from/),
    ]);
  });
});

describe("the steps of a rotation", () => {
  const steps = (more: Partial<RotationDeps>): RotationDeps => ({
    prove: async () => undefined,
    replace: (key) => replaceFile(keyFile(), key),
    read: () => readFileSync(keyFile(), "utf8"),
    reloaded: async () => ({ outcome: "reloaded", writer: "w" }),
    signal: new AbortController().signal,
    onStep: () => undefined,
    ...more,
  });

  it("put the old key back when the second proof fails", async () => {
    writeFileSync(keyFile(), OLD_KEY);
    let proofs = 0;
    const prove = async (): Promise<void> => {
      proofs += 1;
      if (proofs === 2) {
        throw new Error("no");
      }
    };
    expect(await rotateKey(steps({ prove }), NEW_KEY)).toEqual({
      ok: false,
      inForce: "old",
      step: "prove_again",
      why: "no",
    });
    expect(readFileSync(keyFile(), "utf8")).toBe(OLD_KEY);
  });

  it("say which key is in force when the old one cannot be put back", async () => {
    writeFileSync(keyFile(), OLD_KEY);
    const replace: RotationDeps["replace"] = async (key) => ({
      ...(await replaceFile(keyFile(), key)),
      restore: (): Promise<boolean> =>
        Promise.reject(Object.assign(new Error("x"), { code: "EROFS" })),
    });
    const reloaded = async () => ({ outcome: "silent" }) as const;
    expect(
      await rotateKey(steps({ replace, reloaded }), NEW_KEY),
    ).toMatchObject({
      ok: false,
      inForce: "new",
      why: expect.stringMatching(/could not be put back .*EROFS/),
    });
  });

  it("leave alone what another rotation has put there", async () => {
    writeFileSync(keyFile(), OLD_KEY);
    const reloaded = async () => {
      writeFileSync(keyFile(), "third-key");
      return { outcome: "silent" } as const;
    };
    expect(await rotateKey(steps({ reloaded }), NEW_KEY)).toMatchObject({
      ok: false,
      inForce: "another",
      why: expect.stringMatching(/another rotation/),
    });
    expect(readdirSync(folder.path)).toEqual(["write-key"]);
    expect(readFileSync(keyFile(), "utf8")).toBe("third-key");
  });

  it("leave the file as it was when the disk is full", async () => {
    // A file size limit of no bytes stands in for a disk without room.
    writeFileSync(keyFile(), OLD_KEY);
    const child = spawn(
      "bash",
      [
        "-c",
        `trap '' XFSZ; ulimit -f 0; exec "$0" "$@"`,
        process.execPath,
        "--input-type=module",
        "-e",
        `import { replaceFile } from ${JSON.stringify(inProject("dist/key-rotation/replace-file.js"))};
         await replaceFile(${JSON.stringify(keyFile())}, "new").then(() => process.exit(0), (error) => { process.exit(error.code === "EFBIG" ? 9 : 8); });`,
      ],
      { env: environment({}) },
    );
    const [code] = (await once(child, "close")) as [number];
    expect(code).toBe(9);
    expect(readFileSync(keyFile(), "utf8")).toBe(OLD_KEY);
    expect(readdirSync(folder.path)).toEqual(["write-key"]);
  });
});

describe("hexhook secrets", () => {
  const days = (count: number): string =>
    new Date(Date.now() - count * 86_400_000).toISOString();

  it("generates a secret that the service takes: on standard output it is alone", async () => {
    const { code, stdout, stderr } = await run(["secrets", "generate"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^[0-9a-f]{64}\n$/);
    expect(stderr).toContain(`key id ${keyIdOf(stdout.trim())}`);
    expect(stderr).not.toContain(stdout.trim());
    const check = await run(["secrets", "check"], {
      HEX_SECRET: stdout.trim(),
      HEX_SECRET_CREATED_AT: TODAY,
    });
    expect(check.code).toBe(0);
  });

  it("writes it to a new file that nobody else can read, and over none that is there", async () => {
    const args = ["secrets", "generate", "--json", "--file", "secret"];
    const { code, stdout } = await run(args);
    expect(code).toBe(0);
    const secret = readFileSync(inFolder("secret"), "utf8");
    expect(JSON.parse(stdout)).toEqual({
      file: "secret",
      keyId: keyIdOf(secret.trim()),
      createdAt: expect.stringMatching(/^\d{4}-\d{2}-\d{2}$/),
    });
    expect(statSync(inFolder("secret")).mode & 0o777).toBe(0o600);
    const again = await run(args);
    expect(again.code).toBe(64);
    expect(readFileSync(inFolder("secret"), "utf8")).toBe(secret);
  });

  it.each([
    ["fresh", days(1), 0, /1 days old: ok/],
    ["due", days(80), 0, /80 days old: due for rotation/],
    ["overdue", days(90), 1, /90 days old: OVERDUE/],
    ["without a date", undefined, 1, /AGE UNKNOWN/],
  ])("checks how old they are: %s", async (_what, createdAt, exit, line) => {
    const { code, stdout } = await run(["secrets", "check"], {
      HEX_SECRET: SECRET,
      ...(createdAt === undefined ? {} : { HEX_SECRET_CREATED_AT: createdAt }),
    });
    expect(code).toBe(exit);
    expect(stdout).toMatch(line);
    expect(stdout).not.toContain(SECRET);
  });

  it("says when each was last used, so that one knows when the old one can go", async () => {
    const secrets = {
      HEX_SECRET: SECRET,
      HEX_SECRET_CREATED_AT: TODAY,
      HEX_SECRET_PREVIOUS: "previous-signing-secret-0123456789",
      HEX_SECRET_PREVIOUS_EXPIRES_AT: "2099-01-01",
      HEX_READ_KEY: OLD_KEY,
    };
    running = await serve(folder.path, env(secrets));
    await hexhook(["send", "--url", `${running.url}/webhooks/hex`], {
      cwd: folder.path,
      env: { HEX_SECRET: secrets.HEX_SECRET_PREVIOUS },
    });
    const { stdout } = await run(["secrets", "check", "--json"], secrets);
    const lines = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as object);
    expect(lines).toMatchObject([
      {
        name: "HEX_SECRET",
        role: "current",
        source: "hex",
        lastUsedAt: null,
        age: "fresh",
      },
      {
        name: "HEX_SECRET_PREVIOUS",
        role: "previous",
        lastUsedAt: expect.stringMatching(/^20/),
        expiresAt: "2099-01-01T00:00:00.000Z",
      },
      { name: "HEX_READ_KEY", role: "api", source: null },
    ]);
    const text = await run(["secrets", "check"], secrets);
    expect(text.stdout).toMatch(
      /not used so far.*\n.*PREVIOUS.*\n.*accepted until.*\n.*last used 20/,
    );
  });

  it("are refused, one line each, when they are weak", async () => {
    const { code, stderr } = await run(["secrets", "check"], {
      HEX_SECRET: "short",
    });
    expect(code).toBe(78);
    expect(stderr).toMatch(/^hexhook: HEX_SECRET: is shorter/);
  });
});
