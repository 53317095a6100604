import { beforeEach, describe, expect, it } from "@jest/globals";
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
import {
  type Environment,
  loadConfig,
} from "../../../src/config/load-config.ts";
import { keyIdOf } from "../../../src/domain/key-id.ts";
import { cleanUp } from "../../support/cleanup.ts";
import { SECRET, TODAY } from "../../support/fixtures.ts";
import { startHexApi, status } from "../../support/hex-api.ts";
import { hexhook } from "../../support/hexhook.ts";
import { CLI, environment, serve } from "../../support/processes.ts";
import { compileModule } from "../../support/compile-module.ts";
import { readTrail } from "../../support/read-trail.ts";
import { startTestService } from "../../support/service.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { itUnprivileged, UNPRIVILEGED } from "../../support/unprivileged.ts";

const OLD_KEY = "old-write-key-0123456789";
const NEW_KEY = "new-write-key-9876543210";

let api: Awaited<ReturnType<typeof startHexApi>>;
let folder: ReturnType<typeof temporaryFolder>;
/** The keys that the API accepts. */
let good: Set<string>;
/** The checks of keys that the API received: the key, and the content of the key's file at that moment. */
let checks: { readonly key: string; readonly inFile: string }[];

beforeEach(async () => {
  folder = temporaryFolder();
  good = new Set([OLD_KEY, NEW_KEY]);
  checks = [];
  api = await startHexApi();
  api.otherwise((res, call, take) => {
    const key = call.key.replace("Bearer ", "");
    if (call.path === "/health") {
      checks.push({ key, inFile: readFileSync(keyFile(), "utf8").trim() });
    }
    if (good.has(key)) {
      take();
    }
    status(good.has(key) ? 200 : 401)(res, call, take);
  });
});

const inFolder = (name: string): string => path.join(folder.path, name);
const keyFile = (): string => inFolder("write-key");
const keyFiles = (): string[] =>
  readdirSync(folder.path).filter((name) => name.startsWith("write-key"));

const env = (more: Environment = {}): Environment => ({
  HEX_API_URL: api.url,
  DATABASE_URL: "sqlite:hexhook.db",
  HEX_WRITE_KEY_FILE: keyFile(),
  ...more,
});

const run = (args: readonly string[], more: Environment = {}, input = "") =>
  hexhook(args, { cwd: folder.path, env: env(more), input });

const rotate = (input: string, ...more: readonly string[]) =>
  run(["keys", "rotate", "--from", "-", ...more], {}, input);

/** Runs the command in a separate process, with the new key on its standard input. */
function rotateInProcess(command: string, ...args: readonly string[]) {
  const child = spawn(command, args, {
    cwd: folder.path,
    env: environment(env()),
  });
  cleanUp(() => child.kill("SIGKILL"));
  const printed = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => {
    printed.stdout += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    printed.stderr += chunk.toString();
  });
  child.stdin.on("error", () => undefined);
  child.stdin.end(NEW_KEY);
  return { child, printed };
}

const ROTATE: readonly string[] = [
  process.execPath,
  CLI,
  "keys",
  "rotate",
  "--from",
  "-",
];

/** A service in this process whose write key is in the file, and whose environment can be changed. */
async function startService() {
  const given: Record<string, string | undefined> = {
    HEX_SECRET: SECRET,
    HEX_SECRET_CREATED_AT: TODAY,
    ...env({ DATABASE_URL: `sqlite:${inFolder("hexhook.db")}` }),
  };
  await startTestService(folder.path, {
    env: given,
    deps: {
      readConfig: () => loadConfig(given),
      intervals: { fileWatch: 20 },
    },
  });
  return given;
}

/** Removes the newlines that wrap the text at 80 columns. */
const plain = (text: string): string => text.replace(/\s+/g, " ");

const trail = () => readTrail(inFolder("hexhook.db"));

/** Returns the key with which the service last sent audit entries. */
const lastTrackKey = (): string | undefined =>
  api.calls.filter(({ path: at }) => at === "/v1/track").at(-1)?.key;

describe("hexhook keys rotate", () => {
  it("checks the new key, writes it to its file, waits until the service uses it, and checks it again", async () => {
    writeFileSync(keyFile(), `${OLD_KEY}\n`, { mode: 0o640 });
    const running = await serve(folder.path, env());
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
    expect(keyFiles()).toEqual(["write-key"]);
    // The old key stays in the file until the API has accepted the new one, because the service reads that file.
    expect(checks).toEqual([
      { key: NEW_KEY, inFile: OLD_KEY },
      { key: NEW_KEY, inFile: NEW_KEY },
    ]);
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
    await running.stop();
    expect(lastTrackKey()).toBe(`Bearer ${NEW_KEY}`);
    expect(stdout + running.stdout() + running.stderr()).not.toMatch(
      /write-key-\d/,
    );
  });

  it("never writes a key to the file that the API rejects", async () => {
    writeFileSync(keyFile(), `${OLD_KEY}\n`);
    await startService();
    good.delete(NEW_KEY);
    const { code, stdout } = await rotate(NEW_KEY);
    expect(code).toBe(1);
    expect(plain(stdout)).toMatch(/FAILED checking the new key: .*401/);
    expect(plain(stdout)).toMatch(/kept .* is still in use/);
    expect(checks).toEqual([{ key: NEW_KEY, inFile: OLD_KEY }]);
    expect(readFileSync(keyFile(), "utf8")).toBe(`${OLD_KEY}\n`);
    expect(keyFiles()).toEqual(["write-key"]);
    expect(
      (await trail()).filter(({ action }) => action === "secret.reloaded"),
    ).toEqual([]);
  });

  it("keeps the old key when no file can be created beside it", async () => {
    // A name that is a little longer is invalid, so no temporary file can be created beside this one.
    const file = inFolder("k".repeat(250));
    writeFileSync(file, OLD_KEY);
    symlinkSync(file, keyFile());
    const { code, stdout } = await rotate(NEW_KEY, "--offline");
    expect(code).toBe(1);
    expect(plain(stdout)).toMatch(
      /FAILED writing the key to its file: ENAMETOOLONG/,
    );
    expect(plain(stdout)).toMatch(/kept/);
    expect(readFileSync(file, "utf8")).toBe(OLD_KEY);
    expect(readdirSync(folder.path).sort()).toEqual(
      expect.arrayContaining([path.basename(file), "write-key"]),
    );
    expect(
      readdirSync(folder.path).filter((name) => /^k+\./.test(name)),
    ).toEqual([]);
  });

  itUnprivileged(
    "keeps the old key when its directory cannot be written to",
    async () => {
      mkdirSync(inFolder("secrets"));
      const file = inFolder("secrets/key");
      writeFileSync(file, OLD_KEY);
      symlinkSync(file, keyFile());
      chmodSync(inFolder("secrets"), 0o555);
      const [command, ...args] = [...UNPRIVILEGED, ...ROTATE, "--offline"];
      const { child, printed } = rotateInProcess(command, ...args);
      const [code] = (await once(child, "close")) as [number];
      chmodSync(inFolder("secrets"), 0o755);
      expect(plain(printed.stdout)).toMatch(
        /FAILED writing the key to its file: uid \d+ cannot write to the directory of the key file \(EACCES\)/,
      );
      expect(plain(printed.stdout)).toMatch(/kept/);
      expect(code).toBe(1);
      expect(readFileSync(file, "utf8")).toBe(OLD_KEY);
      expect(readdirSync(inFolder("secrets"))).toEqual(["key"]);
    },
  );

  it("restores the old key when no service confirms the new one", async () => {
    writeFileSync(keyFile(), `${OLD_KEY}\n`);
    const { code, stdout } = await rotate(NEW_KEY, "--within", "1");
    expect(code).toBe(1);
    expect(plain(stdout)).toMatch(/FAILED .*did not confirm the new key/);
    expect(checks).toEqual([{ key: NEW_KEY, inFile: OLD_KEY }]);
    expect(readFileSync(keyFile(), "utf8")).toBe(`${OLD_KEY}\n`);
    expect(keyFiles()).toEqual(["write-key"]);
  });

  it("restores the old key when the service rejects its configuration", async () => {
    writeFileSync(keyFile(), `${OLD_KEY}\n`);
    const given = await startService();
    // Meanwhile, an operator has made another variable invalid.
    given["HEX_SCOPES"] = "all";
    const { code, stdout } = await rotate(NEW_KEY);
    expect(code).toBe(1);
    expect(plain(stdout)).toMatch(
      /FAILED .*the service rejected it: HEX_SCOPES/,
    );
    expect(readFileSync(keyFile(), "utf8")).toBe(`${OLD_KEY}\n`);
  });

  it("finishes and sets its exit code when no process reads its output", async () => {
    writeFileSync(keyFile(), `${OLD_KEY}\n`);
    await startService();
    const { child, printed } = rotateInProcess(
      "bash",
      "-c",
      '("$0" "$@"; echo "exit $?" >&2) | head -c 1',
      ...ROTATE,
    );
    await once(child, "close");
    expect(printed.stderr).toContain("exit 0\n");
    expect(readFileSync(keyFile(), "utf8")).toBe(`${NEW_KEY}\n`);
    expect(keyFiles()).toEqual(["write-key"]);
  });

  it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "restores the old key when it is interrupted by %s",
    async (signal) => {
      // No service runs, so the command waits for one until the signal arrives.
      writeFileSync(keyFile(), `${OLD_KEY}\n`);
      const [command, ...args] = ROTATE;
      const { child, printed } = rotateInProcess(command!, ...args);
      let isSent = false;
      child.stdout.on("data", () => {
        // Only once, because a second signal could reach the process after it has removed its handlers.
        if (
          !isSent &&
          printed.stdout.includes("the new key is written to its file")
        ) {
          isSent = true;
          child.kill(signal);
        }
      });
      const [code] = (await once(child, "close")) as [number];
      expect(isSent).toBe(true);
      expect(code).toBe(1);
      expect(plain(printed.stdout)).toMatch(/kept/);
      expect(readFileSync(keyFile(), "utf8")).toBe(`${OLD_KEY}\n`);
    },
  );

  it("needs no service with --offline, and follows a symbolic link without replacing it", async () => {
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
    ["the old key", OLD_KEY, 64, /is the same as the old one/],
    ["an empty input", "", 64, /standard input has no key/],
    ["a placeholder", "changeme", 64, /placeholder/],
    ["two words", "two words", 64, /visible ASCII/],
    [
      "a live key outside production",
      "sk_live_" + "4f9Qz7Lm2Xw8Rt5Y",
      64,
      /live key/,
    ],
  ])("rejects %s before it calls the API", async (_what, given, exit, line) => {
    writeFileSync(keyFile(), OLD_KEY);
    const { code, stderr } = await rotate(given, "--offline");
    expect(code).toBe(exit);
    expect(stderr).toMatch(line);
    expect(stderr.split("\n")).toEqual([
      expect.stringMatching(/^hexhook: /),
      "See 'hexhook keys rotate --help'.",
      "",
    ]);
    expect(api.calls).toEqual([]);
  });

  it("says what to do when a key has no file, several keys have one, or there is no terminal", async () => {
    const direct = await run(["keys", "rotate"], {
      HEX_WRITE_KEY: OLD_KEY,
      HEX_WRITE_KEY_FILE: undefined,
    });
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

  const replaceFileModule = (): string =>
    compileModule("key-rotation/replace-file.ts", temporaryFolder().path);

  /** Replaces the key's file in a child that `command` starts. Returns 0, 9 for an error with this code, or 8 for another. */
  async function replaceUnder(
    command: readonly string[],
    errorCode: string,
  ): Promise<number> {
    const [program, ...args] = [
      ...command,
      process.execPath,
      "--input-type=module",
      "-e",
      `import { replaceFile } from ${JSON.stringify(replaceFileModule())};
       await replaceFile(${JSON.stringify(keyFile())}, "new").then(() => process.exit(0), (error) => { process.exit(error.code === "${errorCode}" ? 9 : 8); });`,
    ];
    const child = spawn(program, args, { env: environment({}) });
    const [code] = (await once(child, "close")) as [number];
    return code;
  }

  itUnprivileged(
    "does not change the file when its directory cannot be synced",
    async () => {
      writeFileSync(keyFile(), OLD_KEY);
      // Without read permission the directory can be written, but not opened for the sync.
      chmodSync(folder.path, 0o300);
      const code = await replaceUnder(UNPRIVILEGED, "EACCES");
      chmodSync(folder.path, 0o700);
      expect(code).toBe(9);
      expect(readFileSync(keyFile(), "utf8")).toBe(OLD_KEY);
      expect(readdirSync(folder.path)).toEqual(["write-key"]);
    },
  );

  it("does not change the file when the disk is full", async () => {
    writeFileSync(keyFile(), OLD_KEY);
    // A file size limit of 0 bytes acts like a full disk.
    const limited = ["bash", "-c", `trap '' XFSZ; ulimit -f 0; exec "$0" "$@"`];
    expect(await replaceUnder(limited, "EFBIG")).toBe(9);
    expect(readFileSync(keyFile(), "utf8")).toBe(OLD_KEY);
    expect(readdirSync(folder.path)).toEqual(["write-key"]);
  });
});
