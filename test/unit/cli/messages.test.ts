import { beforeEach, describe, expect, it } from "@jest/globals";
import { chmodSync, chownSync, mkdirSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import path from "node:path";
import type { Environment } from "../../../src/config/load-config.ts";
import { visible } from "../../../src/terminal/terminal-text.ts";
import { SECRET } from "../../support/fixtures.ts";
import { hexhook } from "../../support/hexhook.ts";
import { CLI, environment } from "../../support/processes.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { itUnprivileged, UNPRIVILEGED } from "../../support/unprivileged.ts";

let folder: ReturnType<typeof temporaryFolder>;

beforeEach(() => {
  folder = temporaryFolder();
});

const inFolder = (name: string) => path.join(folder.path, name);

const run = (args: readonly string[], env: Environment = {}, input = "") =>
  hexhook(args, {
    cwd: folder.path,
    env: { HEX_SECRET: SECRET, DATABASE_URL: "sqlite:hexhook.db", ...env },
    input,
  });

/** Runs a command to which file permissions apply. */
function runUnprivileged(args: readonly string[], env: Environment = {}) {
  const [command, ...rest] = [...UNPRIVILEGED, process.execPath, CLI, ...args];
  const { status, stderr, stdout } = spawnSync(command!, rest, {
    cwd: folder.path,
    env: environment({
      HEX_SECRET: SECRET,
      DATABASE_URL: "sqlite:hexhook.db",
      ...env,
    }),
    encoding: "utf8",
  });
  return { code: status, stderr, stdout };
}

describe("text that a command repeats", () => {
  // A colour, a bell, a newline, a right-to-left override, a line separator, a zero-width space.
  const HOSTILE = "x\u001b[31m\u0007\n\u202e\u2028\u200by";
  const SHOWN = "x\\u001b[31m\\u0007\\u000a\\u202e\\u2028\\u200by";

  it.each<[string, string[], Environment]>([
    ["an unknown command", [HOSTILE], {}],
    ["an unknown option", [`--${HOSTILE}`], {}],
    ["an unknown option of a command", ["send", `--${HOSTILE}`], {}],
    ["the value of an option", ["audit", "tail", "--since", HOSTILE], {}],
    ["a choice", ["audit", "tail", "--result", HOSTILE], {}],
    ["an excess argument", ["secrets", "generate", "--file", HOSTILE, "b"], {}],
    ["a file to read", ["audit", "verify", "--file", HOSTILE], {}],
    ["a file to send", ["send", "--file", HOSTILE], {}],
    ["a file to write", ["secrets", "generate", "--file", `${HOSTILE}/a`], {}],
    ["a store", ["audit", "tail"], { DATABASE_URL: `sqlite:${HOSTILE}` }],
    ["a source", ["send", "--source", HOSTILE], {}],
    ["an event", ["events", "show", HOSTILE], {}],
  ])("has no effect on a terminal: %s", async (_what, args, env) => {
    await run(["migrate"]);
    const { code, stderr } = await run(args, env);
    expect(code).not.toBe(0);
    expect(stderr.replaceAll("\n", "")).toMatch(/^[\x20-\x7e]*$/);
    const lines = stderr.trim().split("\n").length;
    expect(lines).toBeLessThanOrEqual(2);
  });

  it("keeps its non-ASCII letters", () => {
    expect(visible(`größe ${HOSTILE} 漢字 😀 \ud800`)).toBe(
      `größe ${SHOWN} 漢字 😀 \\ud800`,
    );
  });
});

describe("a usage error", () => {
  it.each<[string, string[], string, string]>([
    [
      "an unknown command",
      ["sned"],
      "unknown command 'sned' (Did you mean send?)",
      "hexhook",
    ],
    [
      "an unknown command of a group",
      ["events", "sho"],
      "unknown command 'sho' (Did you mean show?)",
      "hexhook events",
    ],
    [
      "an unknown option",
      ["events", "list", "--sinse", "1h"],
      "unknown option '--sinse' (Did you mean --since?)",
      "hexhook events list",
    ],
    [
      "an unknown option before the command",
      ["--verbose", "serve"],
      "unknown option '--verbose'",
      "hexhook",
    ],
    [
      "a missing argument",
      ["events", "show"],
      "missing required argument 'id'",
      "hexhook events show",
    ],
    [
      "a missing value",
      ["audit", "tail", "--since"],
      "option '--since <when>' argument missing",
      "hexhook audit tail",
    ],
    [
      "options that do not fit together",
      ["audit", "tail", "-f", "--until", "1h"],
      "--follow never ends: leave out --until",
      "hexhook audit tail",
    ],
  ])(
    "names the help of the command: %s",
    async (_what, args, message, command) => {
      const { code, stdout, stderr } = await run(args);
      expect([code, stdout]).toEqual([64, ""]);
      expect(stderr).toBe(`hexhook: ${message}\nSee '${command} --help'.\n`);
    },
  );

  it("shows the help of a group that is called without a command", async () => {
    const { code, stdout, stderr } = await run(["events"]);
    expect([code, stdout]).toEqual([64, ""]);
    expect(stderr).toMatch(/^Usage: hexhook events /);
  });
});

describe("a configuration error", () => {
  it("is printed on one line, without the help of the command", async () => {
    const { code, stderr } = await run(["sign"], { HEX_SECRET: "" });
    expect([code, stderr]).toEqual([
      78,
      "hexhook: HEX_SECRET: is not set; make one with `hexhook secrets generate`, then set it in .env or the environment, or name its file in HEX_SECRET_FILE\n",
    ]);
  });
});

describe("secrets generate --file", () => {
  it.each([
    [
      "a directory that does not exist",
      "no/secret",
      /: there is no directory .*\/no; create it, or name a file elsewhere$/,
    ],
    ["a directory", ".", /: \. is a directory; name a new file in it$/],
    [
      "a file that exists",
      "old",
      /: old already exists, and its secret may be in use; name a new file$/,
    ],
  ])("says what to do for %s", async (_what, file, line) => {
    writeFileSync(inFolder("old"), "old");
    const { code, stdout, stderr } = await run([
      "secrets",
      "generate",
      "--file",
      file,
    ]);
    expect([code, stdout]).toEqual([64, ""]);
    expect(stderr.split("\n")).toEqual([
      expect.stringMatching(line),
      "See 'hexhook secrets generate --help'.",
      "",
    ]);
  });

  itUnprivileged(
    "says what to do for a directory that it may not write to",
    () => {
      mkdirSync(inFolder("closed"), { mode: 0o555 });
      const { code, stderr } = runUnprivileged([
        "secrets",
        "generate",
        "--file",
        "closed/secret",
      ]);
      expect(code).toBe(64);
      expect(stderr).toMatch(
        /^hexhook: --file: uid \d+ may not write to \S+\/closed \(EACCES\): run `chmod -R u\+rwX \S+\/closed`\nSee 'hexhook secrets generate --help'\.\n$/,
      );
    },
  );
});

describe("keys rotate", () => {
  const env = { HEX_WRITE_KEY_FILE: "key", HEX_API_URL: "http://127.0.0.1:1" };

  beforeEach(() => {
    writeFileSync(inFolder("key"), "old-key-0123456789");
  });

  it.each([
    [
      "no key is given",
      [],
      "there is no terminal to ask for the new key; use --from FILE, or --from - for standard input",
    ],
    [
      "standard input is empty",
      ["--from", "-"],
      "standard input has no key; give the new key there, or use --from FILE",
    ],
    [
      "the file of the new key does not exist",
      ["--from", "none"],
      "--from names a file that cannot be read (ENOENT)",
    ],
    [
      "the file of the new key is a directory",
      ["--from", "."],
      "--from names a file that is not a regular file",
    ],
    [
      "the new key is the old one",
      ["--from", "key"],
      "the new key is the same as the old one; create a new one in the Hex dashboard",
    ],
  ])("says what to do when %s", async (_what, args, line) => {
    const { code, stderr } = await run(["keys", "rotate", ...args], env);
    expect([code, stderr]).toEqual([
      64,
      `hexhook: ${line}\nSee 'hexhook keys rotate --help'.\n`,
    ]);
  });
});

describe("a store that this user may not write to", () => {
  const OTHER = 12_345;
  const isRoot = process.getuid?.() === 0;

  for (const [what, closed, file] of [
    ["in a directory of another user", "data", "data/hexhook.db"],
    ["in a directory that cannot be created", "data", "data/sub/hexhook.db"],
    ["that is a file of another user", "data/hexhook.db", "data/hexhook.db"],
  ] as const) {
    itUnprivileged(
      `makes the error name the command that fixes it: ${what}`,
      () => {
        mkdirSync(inFolder("data"));
        if (closed !== "data") {
          writeFileSync(inFolder("data/hexhook.db-audit-key.pem"), "");
          writeFileSync(inFolder(closed), "");
        }
        chmodSync(inFolder(closed), 0o555);
        if (isRoot) {
          chownSync(inFolder(closed), OTHER, OTHER);
        }
        const { code, stderr } = runUnprivileged(["migrate"], {
          DATABASE_URL: `sqlite:${file}`,
        });
        expect(code).toBe(70);
        const help = isRoot
          ? `which belongs to uid ${OTHER} \\(EACCES\\): run \`chown -R 0:0 \\S+\` as root`
          : "\\(EACCES\\): run `chmod -R u\\+rwX \\S+`";
        expect(stderr).toMatch(
          new RegExp(
            `^hexhook: .*uid \\d+ may not write to \\S+,? ?${help}\n$`,
          ),
        );
      },
    );
  }
});
