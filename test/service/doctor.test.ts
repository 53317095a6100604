import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Environment } from "../../src/config/load-config.ts";
import { fingerprintOf } from "../../src/domain/key-id.ts";
import { looksRandom } from "../../src/doctor/key-shape.ts";
import { createKeyScanner } from "../../src/doctor/key-scanner.ts";
import { parseAllowList, allowanceOf } from "../../src/doctor/allow-list.ts";
import type { CheckName, CheckResult } from "../../src/doctor/check-result.ts";
import { eventBody, signed, TODAY } from "../support/fixtures.ts";
import { startTestService } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { hexhook } from "../support/hexhook.ts";
import { environment } from "../support/processes.ts";
import { openFile } from "../support/store-file.ts";

/** Keys that are none, put together so that nobody finds them here. */
const LIVE_KEY = ["sk", "live", "4f9Qz7Lm2Xw8Rt5Yb1Nc"].join("_");
const GENERIC_KEY = ["9fK2mQ7x", "Lw4Rt8Yb", "1NcVz6Hp"].join("");
const GITHUB_TOKEN = ["ghp", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"].join("_");
const OWN_SECRET = ["7d0f", "c1e8a94b35", "62ff07b8d1e9a3c4"].join("");
const PEM = [
  ["-----BEGIN EC", "PRIVATE KEY-----"].join(" "),
  "MHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04fSeQ6tF1aY/PuoAoGCCqGSM49",
  "AwEHoUQDQgAEPR3tU2Fta9ktY+6P9G0cWO+0kETA6SFs38GecTyudlHz6xvCdz8q",
  ["-----END EC", "PRIVATE KEY-----"].join(" "),
].join("\n");

let folder: ReturnType<typeof temporaryFolder>;

beforeEach(() => {
  folder = temporaryFolder();
});

afterEach(() => {});

function write(name: string, content: string | Buffer): void {
  const file = path.join(folder.path, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, content);
}

function git(...args: readonly string[]): string {
  const identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
  return execFileSync("git", [...identity, ...args], {
    cwd: folder.path,
    env: environment({ GIT_CONFIG_GLOBAL: "/dev/null", HOME: folder.path }),
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
}

function commit(message = "change"): string {
  git("add", "-A");
  git("commit", "-q", "--allow-empty", "-m", message);
  return git("rev-parse", "HEAD").slice(0, 12);
}

/** A repository that nothing is wrong with. */
function cleanRepository(): void {
  git("init", "-q", "-b", "main");
  write(".gitignore", ".env*\n!.env.example\n*.db*\n*.pem\n");
  write("src/index.ts", "export const apiKey = process.env.HEX_API_KEY;\n");
  write(".env.example", "HEX_SECRET=\nHEX_API_KEY=your-api-key\n");
  write(
    "docs/rotation.md",
    "Keys look like `sk_live_…` or sk_live_xxxxxxxxxxxx.\n",
  );
  commit("start");
}

const GOOD_ENV: Environment = {
  HEX_SECRET: OWN_SECRET,
  HEX_SECRET_CREATED_AT: TODAY,
  HEX_READ_KEY: "read-key-0123456789",
  HEX_SCOPES: "read:*",
  DATABASE_URL: "sqlite:hexhook.db",
};

async function doctor(env: Environment = {}, ...more: readonly string[]) {
  const result = await hexhook(["doctor", "--json", ...more], {
    cwd: folder.path,
    env: { ...GOOD_ENV, ...env },
  });
  const results = result.stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as CheckResult);
  const of = (check: CheckName): CheckResult =>
    results.find((one) => one.check === check)!;
  return { ...result, results, of };
}

const failedOf = ({ results }: { results: readonly CheckResult[] }) =>
  results.filter(({ status }) => status === "fail").map(({ check }) => check);

describe("hexhook doctor", () => {
  it("finds nothing wrong with a clean repository, and says so in 80 columns", async () => {
    cleanRepository();
    const json = await doctor();
    expect(failedOf(json)).toEqual([]);
    expect(json.code).toBe(0);
    const { code, stdout } = await hexhook(["doctor"], {
      cwd: folder.path,
      env: GOOD_ENV,
    });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^PASS {2}API keys in the environment\n/);
    expect(stdout).toMatch(/\n\d passed, 0 warnings, 0 failed, \d skipped\n$/);
    expect(stdout.split("\n").filter((line) => line.length > 80)).toEqual([]);
  });

  it.each([
    ["a live key", `const key = "${LIVE_KEY}";`, LIVE_KEY, "live-key"],
    ["a generic key", `API_KEY=${GENERIC_KEY}`, GENERIC_KEY, "generic-key"],
    [
      "a token of another service",
      `token: "${GITHUB_TOKEN}"`,
      GITHUB_TOKEN,
      "github",
    ],
    ["a private key", PEM, null, "private-key"],
    [
      "a configured secret in plain text",
      `it is ${OWN_SECRET}.`,
      OWN_SECRET,
      "configured-key",
    ],
  ])(
    "finds %s in a tracked file, one that is not tracked, and one that is staged alone",
    async (_what, text, key, rule) => {
      cleanRepository();
      write("src/tracked.ts", `\n\n${text}\n`);
      commit();
      write("notes/untracked.md", `${text}\n`);
      write("src/staged.ts", `\n${text}\n`);
      git("add", "src/staged.ts");
      write("src/staged.ts", "gone from here\n");
      const result = await doctor();
      expect([result.code, failedOf(result)]).toEqual([1, ["exposed_keys"]]);
      const { findings } = result.of("exposed_keys");
      const fingerprint = fingerprintOf(key ?? PEM.replace(/END.*$/s, "END"));
      const at = (file: string, line: number, where = "tree") => ({
        path: file,
        line,
        rule: expect.stringContaining(rule),
        where,
        commit: null,
        fingerprint,
      });
      expect(findings).toHaveLength(3);
      expect(findings).toEqual(
        expect.arrayContaining([
          at("src/tracked.ts", 3),
          at("notes/untracked.md", 1),
          at("src/staged.ts", 2, "index"),
        ]),
      );
      expect(result.stdout + result.stderr).not.toContain(key ?? "MHcCAQEEII");
    },
  );

  it("finds a key that is in the history alone: changed later, in a deleted file, on another branch, in a message, under a tag", async () => {
    cleanRepository();
    write("config.ts", `a\nb\nkey = "${LIVE_KEY}"\n`);
    const brought = commit();
    write("config.ts", "a\nb\nkey = env\n");
    write("deleted.ts", `x = "${LIVE_KEY}x"\n`);
    const added = commit();
    rmSync(path.join(folder.path, "deleted.ts"));
    commit();
    git("checkout", "-q", "-b", "side");
    write("side.ts", `x = "${LIVE_KEY}y"\n`);
    const aside = commit();
    git("checkout", "-q", "main");
    const said = commit(`hello\n\nthe key is ${LIVE_KEY}z`);
    git("tag", "-a", "v1", "-m", `t ${LIVE_KEY}t`);
    const { code, of, stdout } = await doctor();
    expect(code).toBe(1);
    const { findings } = of("exposed_keys");
    const common = { rule: "live-key", where: "history" };
    expect(findings).toHaveLength(5);
    expect(findings).toEqual(
      expect.arrayContaining([
        {
          path: "config.ts",
          line: 3,
          commit: brought,
          ...common,
          fingerprint: fingerprintOf(LIVE_KEY),
        },
        {
          path: "deleted.ts",
          line: 1,
          commit: added,
          ...common,
          fingerprint: fingerprintOf(`${LIVE_KEY}x`),
        },
        {
          path: "side.ts",
          line: 1,
          commit: aside,
          ...common,
          fingerprint: fingerprintOf(`${LIVE_KEY}y`),
        },
        {
          path: "commit message",
          line: 3,
          commit: said,
          ...common,
          fingerprint: fingerprintOf(`${LIVE_KEY}z`),
        },
        expect.objectContaining({ fingerprint: fingerprintOf(`${LIVE_KEY}t`) }),
      ]),
    );
    expect(stdout).not.toContain(LIVE_KEY);
  });

  it("finds keys whatever the file is: UTF-16, binary, a strange name, a disabling comment", async () => {
    cleanRepository();
    write("windows.txt", Buffer.from(`\ufeffkey ${LIVE_KEY}1`, "utf16le"));
    write("unmarked.txt", Buffer.from(`key ${LIVE_KEY}4`, "utf16le"));
    write(
      "other-end.txt",
      Buffer.from(`\ufeffkey ${LIVE_KEY}5`, "utf16le").swap16(),
    );
    write(
      "binary.bin",
      Buffer.concat([Buffer.alloc(100), Buffer.from(`\n${LIVE_KEY}2`)]),
    );
    write("a file \u001b[31m.md", `${LIVE_KEY}3`);
    write("comment.ts", `// secretlint-disable\n// ${GITHUB_TOKEN}\n`);
    commit();
    const { of, stdout } = await doctor();
    expect(
      of("exposed_keys")
        .findings?.map(({ path: file, line }) => [file, line])
        .sort(),
    ).toEqual([
      ["a file \u001b[31m.md", 1],
      ["binary.bin", 2],
      ["comment.ts", 2],
      ["other-end.txt", 1],
      ["unmarked.txt", 1],
      ["windows.txt", 1],
    ]);
    expect(stdout).not.toContain("\u001b");
    const text = await hexhook(["doctor"], { cwd: folder.path, env: GOOD_ENV });
    expect(text.stdout).not.toContain("\u001b");
  });

  it("looks from the top of the repository, wherever it is called", async () => {
    cleanRepository();
    write("top.ts", `"${LIVE_KEY}"`);
    commit();
    const { stdout, code } = await hexhook(["doctor"], {
      cwd: path.join(folder.path, "src"),
      env: GOOD_ENV,
    });
    expect(code).toBe(1);
    expect(stdout).toContain("top.ts:1");
  });

  it("runs nothing that the repository has configured, and fetches nothing", async () => {
    cleanRepository();
    const hook = path.join(folder.path, "hook.sh");
    write("hook.sh", `#!/bin/sh\ntouch ${folder.path}/ran\n`);
    execFileSync("chmod", ["+x", hook]);
    write(".gitattributes", "* diff=x\n");
    write("a.ts", `"${LIVE_KEY}"`);
    commit();
    write("a.ts", "gone");
    commit();
    // A commit that says it is signed, so that git would ask who has signed it.
    const signedCommit = git("cat-file", "commit", "HEAD").replace(
      "\n\n",
      "\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----\n\n",
    );
    write("commit.txt", signedCommit);
    const id = git("hash-object", "-t", "commit", "-w", "commit.txt").trim();
    git("reset", "-q", "--soft", id);
    for (const [name, value] of [
      ["core.fsmonitor", hook],
      ["diff.x.textconv", hook],
      ["log.showSignature", "true"],
      ["gpg.program", hook],
      ["core.sshCommand", hook],
      ["core.pager", hook],
    ] as const) {
      git("config", name, value);
    }
    rmSync(path.join(folder.path, "ran"), { force: true });
    const whole = await doctor();
    expect(whole.of("exposed_keys").findings).toHaveLength(1);
    // Of a partial clone an object is missing: git would fetch it.
    const blob = git(
      "-c",
      "core.fsmonitor=",
      "rev-parse",
      "HEAD:src/index.ts",
    ).trim();
    rmSync(
      path.join(folder.path, ".git/objects", blob.slice(0, 2), blob.slice(2)),
    );
    git("config", "core.repositoryformatversion", "1");
    git("config", "extensions.partialClone", "origin");
    git("config", "remote.origin.promisor", "true");
    git("config", "remote.origin.url", "ssh://nowhere.invalid/x");
    const partial = await doctor();
    expect(existsSync(path.join(folder.path, "ran"))).toBe(false);
    expect([partial.code, partial.of("exposed_keys").status]).toEqual([
      1,
      "fail",
    ]);
  });

  it("finds what git would send, whatever stands in for it here, and what stashes keep", async () => {
    cleanRepository();
    const clean = git("rev-parse", "HEAD").trim();
    write("a.ts", `"${LIVE_KEY}a"`);
    commit();
    git("replace", git("rev-parse", "HEAD").trim(), clean);
    git("checkout", "-q", "-f", "main");
    for (const name of ["b", "c"]) {
      write("src/index.ts", `"${LIVE_KEY}${name}"`);
      git("stash", "-q");
    }
    // A merge may bring what neither parent has.
    git("checkout", "-q", "-b", "side", clean);
    write("side.ts", "side");
    commit();
    git("checkout", "-q", "-b", "merged", clean);
    git("merge", "-q", "--no-ff", "--no-commit", "side");
    write("m.ts", `"${LIVE_KEY}m"`);
    const merge = commit("merge");
    git("rm", "-q", "m.ts");
    commit("away");
    const { of } = await doctor();
    const found = of("exposed_keys").findings?.map((one) => one.fingerprint);
    expect(found).toEqual(
      expect.arrayContaining(
        ["a", "b", "c", "m"].map((end) => fingerprintOf(LIVE_KEY + end)),
      ),
    );
    expect(of("exposed_keys").findings).toContainEqual(
      expect.objectContaining({ path: "m.ts", commit: merge }),
    );
  });

  it("bears whatever files there are: pipes, names of any bytes, a tag on a file, repositories within, a list of keys", async () => {
    cleanRepository();
    git("tag", "blob", git("hash-object", "-w", ".gitignore").trim());
    execFileSync("mkfifo", [
      path.join(folder.path, ".env.staging"),
      path.join(folder.path, "pipe"),
    ]);
    write(".env.production", "A(_SECRET=abcdefgh\n*X_TOKEN=1\n");
    writeFileSync(
      Buffer.concat([
        Buffer.from(`${folder.path}/caf`),
        Buffer.from([0xe9, 0x2e, 0x74]),
      ]),
      LIVE_KEY,
    );
    execFileSync("git", ["init", "-q", path.join(folder.path, "within")]);
    execFileSync(
      "git",
      [
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@e",
        "commit",
        "-q",
        "--allow-empty",
        "-m",
        "x",
      ],
      { cwd: path.join(folder.path, "within") },
    );
    const keys = Array.from(
      { length: 20_000 },
      (_, n) =>
        `token=${createHash("sha256").update(String(n)).digest("hex").slice(0, 24)}`,
    );
    write("keys.csv", keys.join("\n"));
    const { code, of, stderr } = await doctor();
    expect([code, stderr]).toEqual([1, ""]);
    const { findings, details } = of("exposed_keys");
    expect(findings).toContainEqual(
      expect.objectContaining({ path: "caf\ufffd.t", line: 1 }),
    );
    expect(
      findings?.filter(({ path: file }) => file === "keys.csv"),
    ).toHaveLength(1000);
    expect(details.join()).toContain("within/");
  });

  it("looks into a bare repository", async () => {
    cleanRepository();
    write("a.ts", `"${LIVE_KEY}"`);
    commit();
    git("clone", "-q", "--bare", ".", "bare.git");
    const { stdout, code } = await hexhook(["doctor", "--json"], {
      cwd: path.join(folder.path, "bare.git"),
      env: GOOD_ENV,
    });
    expect(code).toBe(1);
    expect(stdout).toContain(fingerprintOf(LIVE_KEY));
  });

  it("allows a key by its fingerprint until a day, and tells of lines that say nothing", async () => {
    cleanRepository();
    write("a.ts", `"${LIVE_KEY}"`);
    commit();
    const allow = (day: string) => {
      write(
        ".hexhook-allow",
        `# why\n${fingerprintOf(LIVE_KEY)} ${day} revoked\n`,
      );
    };
    allow("2099-12-31");
    expect((await doctor()).code).toBe(0);
    allow("2026-01-01");
    expect((await doctor()).code).toBe(1);
    write("other-list", `${fingerprintOf(LIVE_KEY)} 2099-12-31\nfoo\n`);
    const { code, of } = await doctor({}, "--allow", "other-list");
    expect(code).toBe(1);
    expect(of("exposed_keys")).toMatchObject({
      findings: [],
      details: expect.arrayContaining([
        expect.stringMatching(/other-list line 2: must be/),
      ]),
    });
  });

  it.each([
    ["that git tracks", true, /^\.env\.production is tracked by git$/],
    [
      "that nothing ignores",
      false,
      /^\.env\.production is not ignored by git$/,
    ],
  ])(
    "fails with a .env file %s, and finds what is in it",
    async (_what, tracked, line) => {
      cleanRepository();
      write(".gitignore", "*.db*\n");
      write(".env.production", `A=1\nHEX_WRITE_KEY=${LIVE_KEY}\n`);
      if (tracked) {
        commit();
      }
      const result = await doctor();
      expect(failedOf(result)).toEqual(["env_files_ignored", "exposed_keys"]);
      expect(result.of("env_files_ignored").details).toEqual([
        expect.stringMatching(line),
      ]);
      expect(result.of("exposed_keys").findings).toMatchObject([
        { path: ".env.production", line: 2 },
      ]);
      expect(result.stdout).not.toContain(LIVE_KEY);
    },
  );

  it("finds what the .env files of two environments share, and a live key outside production", async () => {
    cleanRepository();
    write(
      ".env.staging",
      `HEX_SECRET=${GENERIC_KEY}\nHEX_READ_KEY=${LIVE_KEY}\n`,
    );
    write(".env.production", `X=1\nHEX_SECRET="${GENERIC_KEY}"\n`);
    write(".env.production.local", `HEX_SECRET=${GENERIC_KEY}\n`);
    const result = await doctor();
    expect(failedOf(result)).toEqual(["environments_apart"]);
    const fingerprint = fingerprintOf(GENERIC_KEY);
    expect(result.of("environments_apart").details).toEqual([
      `.env.staging:1 HEX_SECRET is the same as .env.production:2 HEX_SECRET (fingerprint ${fingerprint})`,
      expect.stringMatching(/^\.env\.staging:2 HEX_READ_KEY is a live key/),
    ]);
    expect(result.stdout).not.toMatch(new RegExp(`${GENERIC_KEY}|${LIVE_KEY}`));
  });

  it("leaves out what environments may well share, and shows no fingerprint that could be guessed from", async () => {
    cleanRepository();
    const shared =
      "SORT_KEY=id\nCACHE_KEY=v1\nX_KEY=true\nSTRIPE_PUBLIC_KEY=pk_9fK2mQ7xLw4Rt8Yb1Nc\n";
    write(".env.staging", shared);
    write(".env.production", shared);
    write(".env.local", `HEX_SECRET=${GENERIC_KEY}\n`);
    write(".env", `HEX_SECRET=${GENERIC_KEY}\n`);
    expect((await doctor()).code).toBe(0);
    write(".env.staging", "DB_PASSWORD=summer24\n");
    write(".env.production", "DB_PASSWORD=summer24\n");
    write("secret", GENERIC_KEY);
    write(".env.test", "HEX_SECRET_FILE=secret\n");
    write(".env.ci", "HEX_SECRET_FILE=./secret\n");
    write(".gitignore", ".env*\nsecret\n*.db*\n");
    const { of, stdout } = await doctor();
    expect(of("environments_apart").details).toEqual([
      ".env.staging:1 DB_PASSWORD is the same as .env.production:1 DB_PASSWORD",
      expect.stringMatching(
        /^\.env\.test:1 HEX_SECRET_FILE is the same as \.env\.ci:1/,
      ),
    ]);
    expect(stdout).not.toContain("summer24");
  });

  it("finds a secret that the configuration file refers to", async () => {
    cleanRepository();
    const secret = "Correct+horse+battery+staple+hooks";
    write("hex.pem", secret);
    write(
      "hexhook.yaml",
      "sources: { hex: { secrets: [{ file: hex.pem, createdAt: 2026-11-20 }] } }\n",
    );
    write("notes.txt", `it is ${secret}\n`);
    commit();
    const { of, stdout } = await doctor({
      HEX_SECRET: "",
      HEXHOOK_CONFIG: "hexhook.yaml",
    });
    expect(of("exposed_keys").findings).toMatchObject([
      { path: "notes.txt", rule: "configured-key" },
    ]);
    expect(stdout).not.toContain(secret);
  });

  it.each<[string, Environment, CheckName]>([
    [
      "scopes that are too wide",
      { HEXHOOK_ENV: "staging", HEX_SCOPES: "read:*,write:*" },
      "scopes_minimal",
    ],
    ["scopes that nobody has named", { HEX_SCOPES: "" }, "scopes_minimal"],
    ["no date of rotation", { HEX_SECRET_CREATED_AT: "" }, "key_age"],
    [
      "a secret that is overdue",
      { HEX_SECRET_CREATED_AT: "2026-01-01" },
      "key_age",
    ],
    ["audit logging off", { AUDIT_STDOUT: "off" }, "audit_logging"],
    [
      "a configuration that serve would refuse",
      { MAX_BODY_BYTES: "1O24" },
      "signatures_validated",
    ],
    [
      "a live key in development",
      { HEX_READ_KEY: LIVE_KEY },
      "keys_in_environment",
    ],
  ])("fails with %s", async (_what, env, check) => {
    cleanRepository();
    const result = await doctor(env);
    expect(result.code).toBe(1);
    expect(failedOf(result)).toContain(check);
    expect(result.of(check).hint).not.toBe("");
    expect(result.of(check).details.join()).toMatch(/\w/);
    expect(result.stdout).not.toContain(LIVE_KEY);
  });

  it("fails with a trail that was changed, and names where; an intact one passes", async () => {
    cleanRepository();
    const service = await startTestService(folder.path);
    for (const id of ["evt_1", "evt_2"]) {
      const body = eventBody(id);
      await service.post(body, signed(body));
    }
    await service.stop();
    const intact = await doctor();
    expect(intact.of("audit_logging")).toMatchObject({ status: "pass" });
    const db = openFile(path.join(folder.path, "hexhook.db"));
    db.exec("UPDATE audit_entry SET line = replace(line, 'evt_2', 'evt_9')");
    db.close();
    const { code, of } = await doctor();
    expect(code).toBe(1);
    expect(of("audit_logging").details.join()).toMatch(
      /evt|seq|changed|edited|hash/i,
    );
    expect(of("audit_logging").status).toBe("fail");
  });

  it("does what it can outside a repository, and in a shallow one", async () => {
    write("a.ts", `"${LIVE_KEY}"`);
    write(".env", `HEX_READ_KEY=${GENERIC_KEY}`);
    const outside = await doctor({ HEX_READ_KEY: "" });
    expect(outside.of("env_files_ignored").status).toBe("skip");
    expect(outside.of("exposed_keys").findings).toMatchObject([
      { path: "a.ts", line: 1 },
    ]);
    rmSync(path.join(folder.path, "a.ts"));
    cleanRepository();
    write("b.ts", "b");
    const head = commit();
    writeFileSync(
      path.join(folder.path, ".git/shallow"),
      `${git("rev-parse", head).trim()}\n`,
    );
    const shallow = await doctor();
    expect(shallow.of("exposed_keys")).toMatchObject({ status: "warn" });
  });
});

describe("what looks like a key", () => {
  it.each([
    [GENERIC_KEY, true],
    ["c0ffee5ac47c7a52b3a2f7ecdb8eb6c1", true],
    ["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVP", true],
    ["test-signing-secret-0123456789abcdef", false],
    ["another-signing-secret-for-hex-42", false],
    ["process.env.HEX_API_KEY2", false],
    ["getSecretFromVault2Config", false],
    ["aaaaaaaaaaaaaaaaaaaaaaa1", false],
    ["your-api-key-goes-here-1", false],
    ["0123456789abcdef0123456789abcdef", false],
    ["onlyLettersWithoutADigit", false],
    ["short1", false],
  ])("%s: %s", (text, is) => {
    expect(looksRandom(text)).toBe(is);
  });

  it.each([
    `HEX_API_KEY=${GENERIC_KEY}`,
    `export API_KEY="${GENERIC_KEY}"`,
    `"apiKey": "${GENERIC_KEY}",`,
    `client_secret: ${GENERIC_KEY}`,
    `const accessKey = '${GENERIC_KEY}';`,
    `auth-token => ${GENERIC_KEY}`,
    `write_key:=${GENERIC_KEY}`,
    `"{\\"api_key\\":\\"${GENERIC_KEY}\\"}"`,
    `PEM="${PEM.replaceAll("\n", "\\n")}"`,
  ])("is found in %j", async (text) => {
    expect(await createKeyScanner([])(Buffer.from(text), "a.txt")).toHaveLength(
      1,
    );
  });

  it.each([
    "apiKey: process.env.HEX_API_KEY_2026",
    `"integrity": "sha512-${GENERIC_KEY}${GENERIC_KEY}"`,
    "HEX_SECRET_FILE=/run/secrets/hex_secret_2026",
    "HEX_SECRET=$(openssl rand -hex 32)",
    "HEX_API_KEY=<your key from the dashboard>",
    "-----BEGIN PRIVATE KEY-----\n…\n-----END PRIVATE KEY-----",
  ])("is not found in %j", async (text) => {
    expect(await createKeyScanner([])(Buffer.from(text), "a.txt")).toEqual([]);
  });

  it("is looked for in time that grows with the text alone", async () => {
    const scan = createKeyScanner([]);
    const hostile = [
      "api_key ".repeat(200_000),
      `-----BEGIN PRIVATE KEY-----${"A".repeat(2_000_000)}`,
      "-----BEGIN PRIVATE KEY-----".repeat(40_000),
      `password${" ".repeat(1_000_000)}`,
    ];
    for (const text of hostile) {
      expect(await scan(Buffer.from(text), "a.txt")).toEqual([]);
    }
  });
});

describe("an allow-list", () => {
  const fingerprint = "0123456789abcdef";

  it("counts up to the end of its day, in UTC", () => {
    const list = parseAllowList(
      `${fingerprint} 2026-11-24 revoked # by eve\r\n`,
    );
    expect(list.faults).toEqual([]);
    const at = (time: string) =>
      allowanceOf(list, fingerprint, Date.parse(time));
    expect(at("2026-11-24T23:59:59Z")).toBe("allowed");
    expect(at("2026-11-25T00:00:00Z")).toBe("expired");
    expect(allowanceOf(list, "f".repeat(16), 0)).toBe("none");
  });

  it.each([
    "abc 2026-01-01",
    fingerprint,
    `${fingerprint} 2026-13-01`,
    `${fingerprint} 2027-02-31`,
    `${fingerprint} soon`,
  ])("has a fault in %j", (line) => {
    expect(parseAllowList(`\n${line}\n`).faults).toEqual([
      "line 2: must be FINGERPRINT YYYY-MM-DD why",
    ]);
  });
});
