import { beforeEach, describe, expect, it } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import {
  CONFIGURED_SCHEME_NAMES,
  schemeOf,
  SCHEME_NAMES,
} from "../../src/signature/schemes.ts";
import { configFiles } from "../support/config-file.ts";
import { SECRET } from "../support/fixtures.ts";
import { codeBlocks } from "../support/markdown.ts";
import { inProject, ROOT } from "../support/project.ts";
import { secretFor } from "../support/scheme-secrets.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

interface Sender {
  readonly name: string;
  readonly title: string;
  readonly scheme: string;
  readonly sources: readonly { readonly url: string; readonly about: string }[];
  readonly notRead: readonly string[];
}

interface HandWrittenPage {
  readonly name: string;
  readonly schemes: readonly string[];
}

const CONFIGURED: readonly string[] = CONFIGURED_SCHEME_NAMES;

const FOLDER = inProject("docs", "sources");

const { senders, handWritten } = JSON.parse(
  readFileSync(inProject("docs", "sources", "senders.json"), "utf8"),
) as {
  readonly senders: readonly Sender[];
  readonly handWritten: readonly HandWrittenPage[];
};

const pageOf = (name: string): string =>
  readFileSync(inProject("docs", "sources", `${name}.md`), "utf8");

const entryOf = (name: string): string =>
  codeBlocks(pageOf(name).replaceAll(/^ {3}/gm, ""), "yaml")[0] ?? "";

describe("the pages of senders", () => {
  let folder: ReturnType<typeof temporaryFolder>;

  beforeEach(() => {
    folder = temporaryFolder();
  });

  const { withFile } = configFiles(() => folder.path);

  it("exist for every scheme and every name of one, and for no other", () => {
    const documented = new Set([
      ...senders.map(({ scheme }) => scheme),
      ...handWritten.flatMap(({ schemes }) => schemes),
    ]);
    expect([...documented].sort()).toEqual([...SCHEME_NAMES].sort());
  });

  it("are one for each sender", () => {
    const names = [...senders, ...handWritten].map(({ name }) => name);
    expect([...names].sort()).toEqual([...new Set(names)].sort());
    expect(
      readdirSync(FOLDER)
        .filter((file) => file.endsWith(".md"))
        .sort(),
    ).toEqual(names.map((name) => `${name}.md`).sort());
  });

  it("are what the script makes of the senders and the schemes", () => {
    const { status, stderr } = spawnSync(
      process.execPath,
      ["scripts/source-pages.mjs", "--check"],
      { cwd: ROOT, encoding: "utf8" },
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });

  it("say where their facts come from", () => {
    for (const { name, sources, notRead } of senders) {
      const urls = [...sources.map(({ url }) => url), ...notRead];
      expect([name, urls.length > 0]).toEqual([name, true]);
      for (const url of urls) {
        expect([name, new URL(url).protocol]).toEqual([name, "https:"]);
      }
    }
  });

  it("give a valid configuration, alone and together", () => {
    // Each sender has a different secret, also if it has the scheme of another one.
    const env = Object.fromEntries(
      senders.flatMap(({ name, scheme }) => {
        const [variable = "", token] = [
          ...entryOf(name).matchAll(/env: (\w+)/g),
        ].map(([, found]) => found!);
        const secret = CONFIGURED.includes(scheme)
          ? `token-of-${name}-${SECRET}`
          : secretFor({ ...schemeOf(scheme), name }).text;
        return [
          [variable, secret],
          ...(token === undefined ? [] : [[token, `verify-${SECRET}`]]),
        ];
      }),
    ) as Record<string, string>;
    for (const { name } of senders) {
      const { sources, warnings } = withFile(entryOf(name), {
        ...env,
        HEX_SECRET: undefined,
      });
      expect([name, sources.map((source) => source.name), warnings]).toEqual([
        name,
        [name],
        [],
      ]);
    }
    const all = senders.map(({ name }) => entryOf(name).replace(/^.*\n/, ""));
    const { sources } = withFile(`sources:\n${all.join("")}`, env);
    expect(sources).toHaveLength(senders.length);
  });

  it("try the sender with the commands send and listen", () => {
    for (const { name, scheme } of senders) {
      const commands = codeBlocks(pageOf(name), "sh")
        .join("")
        .split("\n")
        .flatMap((line) => /hexhook .*/.exec(line) ?? []);
      const send = `hexhook send --source ${name} --sample`;
      const known = new RegExp(
        `^(?:${send}(?: --tamper (?:body|signature)| --private-key test-key.pem)?|hexhook listen --scheme ${scheme}(?: --url https://hooks.example.com/webhooks/${name})?)$`,
      );
      expect([name, commands.filter((line) => !known.test(line))]).toEqual([
        name,
        [],
      ]);
      expect(commands[0]?.startsWith(send)).toBe(true);
    }
  });
});
