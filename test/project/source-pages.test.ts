import { beforeEach, describe, expect, it } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import type { Scheme } from "../../src/domain/scheme.ts";
import {
  CONFIGURED_SCHEME_NAMES,
  schemeOf,
  SCHEME_NAMES,
} from "../../src/signature/schemes.ts";
import { configFiles } from "../support/config-file.ts";
import { codeBlocks } from "../support/markdown.ts";
import { inProject, ROOT } from "../support/project.ts";
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

/** Returns a secret that a scheme accepts, different for each `seed`. Null: a scheme that only settings describe. */
function secretFor(scheme: Scheme | null, seed: number): string {
  const { algorithm, secret } = scheme ?? {
    algorithm: "token",
    secret: { format: "text" },
  };
  const text = `a-secret-for-this-test-${1000 + seed}`;
  switch (secret.format) {
    case "text":
      return text;
    case "hex":
      return Buffer.from(text).toString("hex");
    case "base64":
      return Buffer.from(text).toString("base64");
    case "whsec":
      return `whsec_${Buffer.from(text).toString("base64")}`;
    case "ed25519-hex":
    case "ed25519-base64":
      return generateKeyPairSync("ed25519")
        .publicKey.export({ format: "der", type: "spki" })
        .subarray(-32)
        .toString(secret.format === "ed25519-hex" ? "hex" : "base64");
    case "spki":
      return (
        algorithm === "ecdsa-p256"
          ? generateKeyPairSync("ec", { namedCurve: "P-256" })
          : generateKeyPairSync("ed25519")
      ).publicKey
        .export({ format: "der", type: "spki" })
        .toString("base64");
  }
}

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

  it("give a valid configuration, without a warning", () => {
    for (const { name, scheme } of senders) {
      const [entry = ""] = codeBlocks(
        pageOf(name).replaceAll(/^ {3}/gm, ""),
        "yaml",
      );
      const variables = [...entry.matchAll(/env: (\w+)/g)].map(
        ([, variable]) => variable!,
      );
      const env = Object.fromEntries(
        variables.map((variable, seed) => [
          variable,
          variable.endsWith("_SECRET")
            ? secretFor(
                CONFIGURED.includes(scheme) ? null : schemeOf(scheme),
                seed,
              )
            : "a-verify-token-for-this-test",
        ]),
      );
      const config = withFile(entry, { ...env, HEX_SECRET: undefined });
      expect(config.sources.map((source) => source.name)).toEqual([name]);
      expect([name, config.warnings]).toEqual([name, []]);
    }
  });
});
