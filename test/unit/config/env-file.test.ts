import { beforeEach, describe, expect, it } from "@jest/globals";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { envFileValues, parseEnvFile } from "../../../src/config/env-file.ts";
import { isSetByKubernetes } from "../../../src/config/kubernetes.ts";
import {
  type Environment,
  loadConfig,
  mergeEnvironments,
} from "../../../src/config/load-config.ts";
import { readEnvFiles } from "../../../src/doctor/env-files.ts";
import { OTHER_SECRET, SECRET } from "../../support/fixtures.ts";
import { hexhook } from "../../support/hexhook.ts";
import { inProject } from "../../support/project.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const valuesOf = (text: string) => {
  const { entries, errors } = parseEnvFile(text);
  expect(errors).toEqual([]);
  return envFileValues(entries);
};

describe("a .env file", () => {
  it.each<[string, string, Readonly<Record<string, string>>]>([
    ["simple lines", "A=1\nB=2", { A: "1", B: "2" }],
    ["Windows newlines", "A=1\r\nB=2\r\n", { A: "1", B: "2" }],
    ["classic Mac newlines", "A=1\rB=2\r", { A: "1", B: "2" }],
    ["export and spaces", " export A = 1 \n\tB\t=\t2", { A: "1", B: "2" }],
    ["comments", "# A=0\n\n  #B=0\nA=1 # one\nB= # none", { A: "1", B: "" }],
    ["a # inside a value", "A=ab#cd#\nB=a'b\"c", { A: "ab#cd#", B: "a'b\"c" }],
    [
      "quotes",
      "A=\"a # b\"\nB='c # d' # e\nC=`\"'`",
      { A: "a # b", B: "c # d", C: "\"'" },
    ],
    [
      "= and $ in a value",
      "A=a=b==\nB=$HOME/x$$",
      { A: "a=b==", B: "$HOME/x$$" },
    ],
    [
      "an escaped newline",
      "A=\"a\\nb\"\nB='a\\nb'\nC=a\\nb",
      { A: "a\nb", B: "a\\nb", C: "a\\nb" },
    ],
    [
      "several lines in quotes",
      'A="-----BEGIN KEY-----\r\nQUJD\r\nQUI=\r\n-----END KEY-----"\nB=2',
      { A: "-----BEGIN KEY-----\nQUJD\nQUI=\n-----END KEY-----", B: "2" },
    ],
    [
      "a repeated name with an empty or equal value",
      "A=\nA=1\nA=\nA=1",
      { A: "1" },
    ],
  ])("is read completely with %s", (_what, text, values) => {
    expect(valuesOf(text)).toEqual(values);
  });

  it.each([
    [
      "a # that could start a comment",
      "A=ab #cd",
      "A contains a # that could start a comment; put the value in quotes, or move the comment to a separate line",
    ],
    [
      "a # at the start",
      "A=#cd",
      "A contains a # that could start a comment; put the value in quotes, or move the comment to a separate line",
    ],
    [
      "an unclosed quote",
      'A="geheim',
      'A has no closing "; add it after the value',
    ],
    [
      "a quote that closes in the next variable",
      "A='geheim\nB='x'",
      "A has no closing '; add it after the value",
    ],
    [
      "text after quotes",
      "A='geheim'more",
      "A has text after the closing '; put the whole value in another kind of quotes",
    ],
    [
      "a # right after quotes",
      'A="geheim"#more',
      'A has text after the closing "; put the whole value in another kind of quotes',
    ],
    [
      "a backslash in double quotes",
      'A="ge\\"heim"',
      "A contains a backslash in double quotes; use single quotes",
    ],
    [
      "a ${...} expansion",
      "A=${geheim}",
      "A contains ${...}, which is not expanded; write the value itself, or put it in single quotes",
    ],
    [
      "a control character",
      "A=ge\u0007heim",
      "A contains a control character; remove it",
    ],
    ["a line without a name", "=geheim", "must be NAME=value or a # comment"],
    ["a name with a space", "A B=geheim", "must be NAME=value or a # comment"],
    ["a line without =", "geheim", "must be NAME=value or a # comment"],
  ])(
    "is rejected with %s in one line without the value",
    (_what, text, error) => {
      const { errors } = parseEnvFile(`# first\n${text}`);
      expect(errors).toEqual([{ line: 2, text: error }]);
      expect(error).not.toContain("heim");
    },
  );

  it("may be .env.example, even with every line uncommented", () => {
    const example = readFileSync(inProject(".env.example"), "utf8");
    expect(valuesOf(example)).toEqual({ HEX_SECRET: "" });
    const all = valuesOf(example.replaceAll(/^#(?=[A-Z_]+=)/gm, ""));
    expect(all).toMatchObject({ PORT: "3000", HEX_SIGNATURE_SCHEME: "hex" });
  });

  it("is rejected with two values for one name", () => {
    expect(parseEnvFile("A=one\nB=x\nA=two").errors).toEqual([
      { line: 3, text: "A has a different value in line 1; keep one of them" },
    ]);
  });
});

describe("commands with a .env file", () => {
  let folder: ReturnType<typeof temporaryFolder>;
  const sign = (content: string | Buffer, env: Environment = {}) => {
    writeFileSync(path.join(folder.path, ".env"), content);
    return hexhook(["sign", "--timestamp", "1"], {
      cwd: folder.path,
      env,
      input: "{}",
    });
  };

  beforeEach(() => {
    folder = temporaryFolder();
  });

  it("read a secret with a # completely, also after a byte order mark", async () => {
    const secret = `${SECRET}#and-more`;
    const { stdout } = await sign("", { HEX_SECRET: secret });
    expect(stdout).toMatch(/^x-hex-timestamp: 1\n/);
    for (const text of [
      `HEX_SECRET=${secret}`,
      `\ufeffHEX_SECRET=${secret}\r\n`,
    ]) {
      expect((await sign(text)).stdout).toBe(stdout);
    }
  });

  it.each<[string, string | Buffer, string]>([
    [
      "UTF-16",
      Buffer.from(`\ufeffHEX_SECRET=${SECRET}`, "utf16le"),
      ".env: is UTF-16 text; save it as UTF-8",
    ],
    [
      "UTF-16, big-endian",
      Buffer.from(`\ufeffHEX_SECRET=${SECRET}`, "utf16le").swap16(),
      ".env: is UTF-16 text; save it as UTF-8",
    ],
    [
      "UTF-16 without a mark",
      Buffer.from(`HEX_SECRET=${SECRET}`, "utf16le"),
      ".env: contains NUL bytes; save it as UTF-8 text",
    ],
    [
      "Latin-1",
      Buffer.from(`HEX_SECRET=${SECRET}\xe9`, "latin1"),
      ".env: is not UTF-8 text; save it as UTF-8",
    ],
    [
      "a NUL",
      `HEX_SECRET=${SECRET}\0`,
      ".env: contains NUL bytes; save it as UTF-8 text",
    ],
    [
      "a # after a space",
      `\nHEX_SECRET=${SECRET} #x`,
      ".env line 2: HEX_SECRET contains a # that could start a comment; put the value in quotes, or move the comment to a separate line",
    ],
  ])(
    "exit with 78 and one line for a file with %s",
    async (_what, content, line) => {
      expect(await sign(content)).toEqual({
        code: 78,
        stdout: "",
        stderr: `hexhook: ${line}\n`,
      });
    },
  );

  it("exit with 78 when .env is a directory", async () => {
    mkdirSync(path.join(folder.path, ".env"));
    expect(
      await hexhook(["sign"], { cwd: folder.path, input: "{}" }),
    ).toMatchObject({
      code: 78,
      stderr: "hexhook: .env: is not a regular file\n",
    });
  });

  it("use .env where the real variable is empty", async () => {
    const { stdout } = await sign("", { HEX_SECRET: SECRET });
    const empty = await sign(`HEX_SECRET=${SECRET}`, { HEX_SECRET: "" });
    expect(empty.stdout).toBe(stdout);
    writeFileSync(path.join(folder.path, "secret"), SECRET);
    const file = await sign("HEX_SECRET_FILE=secret", { HEX_SECRET: "" });
    expect(file.stdout).toBe(stdout);
    const other = await sign(`HEX_SECRET=${OTHER_SECRET}`, {
      HEX_SECRET: "",
      HEX_SECRET_FILE: "secret",
    });
    expect(other.stdout).toBe(stdout);
  });

  it("include doctor, which reports the lines that serve rejects", async () => {
    const write = (name: string, text: string) => {
      writeFileSync(path.join(folder.path, name), text);
    };
    write(".env.staging", `\n export HEX_SECRET = ${SECRET}#more # note\n`);
    write(".env.production", `HEX_SECRET='${SECRET}'more\n`);
    const { secrets, unread } = await readEnvFiles(folder.path);
    expect(secrets).toEqual([
      {
        file: ".env.staging",
        environment: "staging",
        name: "HEX_SECRET",
        value: `${SECRET}#more`,
        line: 2,
      },
    ]);
    expect(unread).toEqual([
      ".env.production:1 HEX_SECRET has text after the closing '; put the whole value in another kind of quotes",
    ]);
  });
});

describe("a real variable", () => {
  it("does not hide AUDIT_FILE of .env when it is named AUDIT", () => {
    expect(mergeEnvironments({ AUDIT: "1" }, { AUDIT_FILE: "a" })).toEqual({
      AUDIT: "1",
      AUDIT_FILE: "a",
    });
  });

  it.each([
    ["HEXHOOK_PORT", "tcp://10.0.0.1:3000", true],
    ["HEXHOOK_PORT", "3000", false],
    ["HEXHOOK_SERVICE_HOST", "10.0.0.1", true],
    ["HEXHOOK_SERVICE_PORT", "3000", true],
    ["HEXHOOK_SERVICE_PORT_HTTP", "3000", true],
    ["HEX_API_PORT_443_TCP", "tcp://10.0.0.1:443", true],
    ["HEX_API_PORT_443_TCP_ADDR", "10.0.0.1", true],
    ["HEX_API_PORT_53_UDP_PROTO", "udp", true],
    ["HEX_API_URL", "tcp://10.0.0.1:443", false],
    ["HEX_SERVICE", "x", false],
  ])("is attributed to Kubernetes for %s=%s: %s", (name, value, made) => {
    expect(isSetByKubernetes(name, value)).toBe(made);
    const { warnings } = loadConfig({
      HEX_SECRET: SECRET,
      HEX_API_URL: "https://a/",
      ...(name === "HEX_API_URL" ? {} : { [name]: value }),
    });
    expect(warnings.filter((line) => line.startsWith(name))).toHaveLength(
      made || name === "HEX_API_URL" ? 0 : 1,
    );
  });

  it("is ignored with one warning when Kubernetes sets it for a Service", () => {
    const made = {
      PORT: "tcp://10.0.0.1:80",
      ADMIN_PORT: "tcp://10.0.0.2:3001",
    };
    const config = loadConfig({ HEX_SECRET: SECRET, ...made });
    expect(config).toMatchObject({ port: 3000, adminPort: 3001 });
    expect(config.warnings).toEqual([
      expect.stringMatching(
        /^PORT: is ignored because Kubernetes sets it for a Service/,
      ),
      expect.stringMatching(
        /^ADMIN_PORT: is ignored because Kubernetes sets it for a Service/,
      ),
    ]);
    expect(config.warnings.join()).not.toContain("10.0.0");
    const merged = mergeEnvironments(made, { PORT: "4000", ADMIN_PORT: "0" });
    expect(loadConfig({ HEX_SECRET: SECRET, ...merged })).toMatchObject({
      port: 4000,
      adminPort: 0,
      warnings: [],
    });
  });
});
