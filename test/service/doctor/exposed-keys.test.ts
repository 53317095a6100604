import { beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fingerprintOf } from "../../../src/domain/key-id.ts";
import {
  GENERIC_KEY,
  GITHUB_TOKEN,
  LIVE_KEY,
  OWN_SECRET,
  PEM,
} from "../../support/fake-keys.ts";
import { hexhook } from "../../support/hexhook.ts";
import {
  GOOD_ENV,
  makeCleanRepository,
  type Repository,
  repositoryIn,
} from "../../support/repository.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

let clean: ReturnType<typeof temporaryFolder>;
let folder: ReturnType<typeof temporaryFolder>;
let repository: Repository;

beforeAll(() => {
  clean = temporaryFolder();
  makeCleanRepository(clean.path);
});

beforeEach(() => {
  folder = temporaryFolder();
  repository = repositoryIn(folder.path);
});

describe("hexhook doctor", () => {
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
    "finds %s in a tracked file, an untracked one and a staged one",
    async (_what, text, key, rule) => {
      repository.copyOf(clean.path);
      repository.write("src/tracked.ts", `\n\n${text}\n`);
      repository.commit();
      repository.write("notes/untracked.md", `${text}\n`);
      repository.write("src/staged.ts", `\n${text}\n`);
      repository.git("add", "src/staged.ts");
      repository.write("src/staged.ts", "gone from here\n");
      const result = await repository.doctor();
      expect([result.code, result.failed]).toEqual([1, ["exposed_keys"]]);
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

  it("finds a key that is only in the history: in an old version, a deleted file, another branch, a message or a tag", async () => {
    repository.copyOf(clean.path);
    repository.write("config.ts", `a\nb\nkey = "${LIVE_KEY}"\n`);
    const brought = repository.commit();
    repository.write("config.ts", "a\nb\nkey = env\n");
    repository.write("deleted.ts", `x = "${LIVE_KEY}x"\n`);
    const added = repository.commit();
    rmSync(path.join(folder.path, "deleted.ts"));
    repository.commit();
    repository.git("checkout", "-q", "-b", "side");
    repository.write("side.ts", `x = "${LIVE_KEY}y"\n`);
    const aside = repository.commit();
    repository.git("checkout", "-q", "main");
    const said = repository.commit(`hello\n\nthe key is ${LIVE_KEY}z`);
    repository.git("tag", "-a", "v1", "-m", `t ${LIVE_KEY}t`);
    const { code, of, stdout } = await repository.doctor();
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

  it("finds keys in UTF-16 and binary files, under unusual names, and after a comment that disables rules", async () => {
    repository.copyOf(clean.path);
    repository.write(
      "windows.txt",
      Buffer.from(`\ufeffkey ${LIVE_KEY}1`, "utf16le"),
    );
    repository.write(
      "unmarked.txt",
      Buffer.from(`key ${LIVE_KEY}4`, "utf16le"),
    );
    repository.write(
      "other-end.txt",
      Buffer.from(`\ufeffkey ${LIVE_KEY}5`, "utf16le").swap16(),
    );
    repository.write(
      "binary.bin",
      Buffer.concat([Buffer.alloc(100), Buffer.from(`\n${LIVE_KEY}2`)]),
    );
    repository.write("a file \u001b[31m.md", `${LIVE_KEY}3`);
    repository.write(
      "comment.ts",
      `// secretlint-disable\n// ${GITHUB_TOKEN}\n`,
    );
    repository.commit();
    const { of, stdout } = await repository.doctor();
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

  it("scans the whole repository from a subdirectory", async () => {
    repository.copyOf(clean.path);
    repository.write("top.ts", `"${LIVE_KEY}"`);
    repository.commit();
    const { stdout, code } = await hexhook(["doctor"], {
      cwd: path.join(folder.path, "src"),
      env: GOOD_ENV,
    });
    expect(code).toBe(1);
    expect(stdout).toContain("top.ts:1");
  });

  it("runs no command that the repository configures, and fetches nothing", async () => {
    repository.copyOf(clean.path);
    const hook = path.join(folder.path, "hook.sh");
    repository.write("hook.sh", `#!/bin/sh\ntouch ${folder.path}/ran\n`);
    execFileSync("chmod", ["+x", hook]);
    repository.write(".gitattributes", "* diff=x\n");
    repository.write("a.ts", `"${LIVE_KEY}"`);
    repository.commit();
    repository.write("a.ts", "gone");
    repository.commit();
    // A commit with a signature, so that git would run the configured program to check it.
    const signedCommit = repository
      .git("cat-file", "commit", "HEAD")
      .replace(
        "\n\n",
        "\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----\n\n",
      );
    repository.write("commit.txt", signedCommit);
    const id = repository
      .git("hash-object", "-t", "commit", "-w", "commit.txt")
      .trim();
    repository.git("reset", "-q", "--soft", id);
    for (const [name, value] of [
      ["core.fsmonitor", hook],
      ["diff.x.textconv", hook],
      ["log.showSignature", "true"],
      ["gpg.program", hook],
      ["core.sshCommand", hook],
      ["core.pager", hook],
    ] as const) {
      repository.git("config", name, value);
    }
    rmSync(path.join(folder.path, "ran"), { force: true });
    const whole = await repository.doctor();
    expect(whole.of("exposed_keys").findings).toHaveLength(1);
    // An object of a partial clone is missing, so git would fetch it.
    const blob = repository
      .git("-c", "core.fsmonitor=", "rev-parse", "HEAD:src/index.ts")
      .trim();
    rmSync(
      path.join(folder.path, ".git/objects", blob.slice(0, 2), blob.slice(2)),
    );
    repository.git("config", "core.repositoryformatversion", "1");
    repository.git("config", "extensions.partialClone", "origin");
    repository.git("config", "remote.origin.promisor", "true");
    repository.git("config", "remote.origin.url", "ssh://nowhere.invalid/x");
    const partial = await repository.doctor();
    expect(existsSync(path.join(folder.path, "ran"))).toBe(false);
    expect([partial.code, partial.of("exposed_keys").status]).toEqual([
      1,
      "fail",
    ]);
  });

  it("finds keys in replaced objects, stashes and merge commits", async () => {
    repository.copyOf(clean.path);
    const start = repository.git("rev-parse", "HEAD").trim();
    repository.write("a.ts", `"${LIVE_KEY}a"`);
    repository.commit();
    repository.git(
      "replace",
      repository.git("rev-parse", "HEAD").trim(),
      start,
    );
    repository.git("checkout", "-q", "-f", "main");
    for (const name of ["b", "c"]) {
      repository.write("src/index.ts", `"${LIVE_KEY}${name}"`);
      repository.git("stash", "-q");
    }
    // A merge can add content that neither parent has.
    repository.git("checkout", "-q", "-b", "side", start);
    repository.write("side.ts", "side");
    repository.commit();
    repository.git("checkout", "-q", "-b", "merged", start);
    repository.git("merge", "-q", "--no-ff", "--no-commit", "side");
    repository.write("m.ts", `"${LIVE_KEY}m"`);
    const merge = repository.commit("merge");
    repository.git("rm", "-q", "m.ts");
    repository.commit("away");
    const { of } = await repository.doctor();
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

  it("handles pipes, names of any bytes, a tag on a file, nested repositories and a long list of keys", async () => {
    repository.copyOf(clean.path);
    repository.git(
      "tag",
      "blob",
      repository.git("hash-object", "-w", ".gitignore").trim(),
    );
    execFileSync("mkfifo", [
      path.join(folder.path, ".env.staging"),
      path.join(folder.path, "pipe"),
    ]);
    repository.write(".env.production", "A(_SECRET=abcdefgh\n*X_TOKEN=1\n");
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
    repository.write("keys.csv", keys.join("\n"));
    const { code, of, stderr } = await repository.doctor();
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

  it("scans a bare repository", async () => {
    repository.copyOf(clean.path);
    repository.write("a.ts", `"${LIVE_KEY}"`);
    repository.commit();
    repository.git("clone", "-q", "--bare", ".", "bare.git");
    const { stdout, code } = await hexhook(["doctor", "--json"], {
      cwd: path.join(folder.path, "bare.git"),
      env: GOOD_ENV,
    });
    expect(code).toBe(1);
    expect(stdout).toContain(fingerprintOf(LIVE_KEY));
  });

  it("allows a key by its fingerprint until a day, and reports invalid lines of the allow-list", async () => {
    repository.copyOf(clean.path);
    repository.write("a.ts", `"${LIVE_KEY}"`);
    repository.commit();
    const allow = (day: string) => {
      repository.write(
        ".hexhook-allow",
        `# why\n${fingerprintOf(LIVE_KEY)} ${day} revoked\n`,
      );
    };
    allow("2099-12-31");
    expect((await repository.doctor()).code).toBe(0);
    allow("2026-01-01");
    expect((await repository.doctor()).code).toBe(1);
    repository.write(
      "other-list",
      `${fingerprintOf(LIVE_KEY)} 2099-12-31\nfoo\n`,
    );
    const { code, of } = await repository.doctor({}, "--allow", "other-list");
    expect(code).toBe(1);
    expect(of("exposed_keys")).toMatchObject({
      findings: [],
      details: expect.arrayContaining([
        expect.stringMatching(/other-list line 2: must be/),
      ]),
    });
  });

  it("finds a secret that the configuration file references", async () => {
    repository.copyOf(clean.path);
    const secret = "Correct+horse+battery+staple+hooks";
    repository.write("hex.pem", secret);
    repository.write(
      "hexhook.yaml",
      "sources: { hex: { secrets: [{ file: hex.pem, createdAt: 2026-11-20 }] } }\n",
    );
    repository.write("notes.txt", `it is ${secret}\n`);
    repository.commit();
    const { of, stdout } = await repository.doctor({
      HEX_SECRET: "",
      HEXHOOK_CONFIG: "hexhook.yaml",
    });
    expect(of("exposed_keys").findings).toMatchObject([
      { path: "notes.txt", rule: "configured-key" },
    ]);
    expect(stdout).not.toContain(secret);
  });
});
