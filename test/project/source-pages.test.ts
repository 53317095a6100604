import { beforeEach, describe, expect, it } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Scheme } from "../../src/domain/scheme.ts";
import {
  CONFIGURED_SCHEME_NAMES,
  schemeOf,
  SCHEME_NAMES,
} from "../../src/signature/schemes.ts";
import { configFiles } from "../support/config-file.ts";
import { hexhook } from "../support/hexhook.ts";
import { codeBlocks } from "../support/markdown.ts";
import { serve } from "../support/processes.ts";
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

/** A secret that a scheme accepts, and the private key to a public key. */
interface TestSecret {
  readonly secret: string;
  readonly privateKey: KeyObject | null;
}

function ed25519Secret(encoding: "hex" | "base64"): TestSecret {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const bytes = publicKey.export({ format: "der", type: "spki" }).subarray(-32);
  return { secret: bytes.toString(encoding), privateKey };
}

/** Returns a secret, different for each `seed`. */
function secretFor(
  format: Scheme["secret"]["format"],
  seed: number,
): TestSecret {
  const text = Buffer.from(`a-secret-for-this-test-${1000 + seed}`);
  switch (format) {
    case "text":
      return { secret: text.toString(), privateKey: null };
    case "hex":
    case "base64":
      return { secret: text.toString(format), privateKey: null };
    case "whsec":
      return {
        secret: `whsec_${text.toString("base64")}`,
        privateKey: null,
      };
    case "ed25519-hex":
      return ed25519Secret("hex");
    case "ed25519-base64":
      return ed25519Secret("base64");
    case "spki": {
      const { publicKey, privateKey } = generateKeyPairSync("ec", {
        namedCurve: "P-256",
      });
      const der = publicKey.export({ format: "der", type: "spki" });
      return { secret: der.toString("base64"), privateKey };
    }
  }
}

const entryOf = (name: string): string =>
  codeBlocks(pageOf(name).replaceAll(/^ {3}/gm, ""), "yaml")[0] ?? "";

/** Returns the arguments of each `hexhook send` on a page. */
const sendCommands = (name: string): string[][] =>
  [...pageOf(name).matchAll(/^hexhook (send .*)$/gm)].map(([, args]) =>
    args!.split(" "),
  );

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

  it("give a valid configuration, and commands with the results that they promise", async () => {
    const env: Record<string, string> = {
      META_VERIFY_TOKEN: "a-verify-token-for-this-test",
    };
    const keyFiles = new Map<string, string>();
    for (const [seed, { name, scheme }] of senders.entries()) {
      const [, variable = ""] = /env: (\w+_SECRET)/.exec(entryOf(name)) ?? [];
      const { secret, privateKey } = secretFor(
        CONFIGURED.includes(scheme) ? "text" : schemeOf(scheme).secret.format,
        seed,
      );
      env[variable] = secret;
      if (privateKey !== null) {
        const file = path.join(folder.path, `${name}.pem`);
        writeFileSync(
          file,
          privateKey.export({ format: "pem", type: "pkcs8" }),
        );
        keyFiles.set(name, file);
      }
    }
    const entries = senders.map(({ name }) =>
      entryOf(name).replace("sources:\n", ""),
    );
    const file = `sources:\n${entries.join("")}`;
    const { sources, warnings } = withFile(file, env);
    expect(sources.map(({ name }) => name)).toEqual(
      senders.map(({ name }) => name),
    );
    expect(warnings).toEqual([
      expect.stringMatching(/^HEX_SECRET: is ignored/),
    ]);

    const { port } = await serve(folder.path, {
      ...env,
      HEXHOOK_CONFIG: "hexhook.yaml",
    });
    const tamperings = new Set<string>();
    for (const { name } of senders) {
      const [genuine = [], tampered = []] = sendCommands(name);
      expect([name, genuine]).toEqual([
        name,
        expect.arrayContaining(["send", "--source", name, "--sample"]),
      ]);
      const tampering = tampered.slice(genuine.length).join(" ");
      // One sender for each part that is changed.
      const isNew = tampering !== "" && !tamperings.has(tampering);
      tamperings.add(tampering);
      writeFileSync(path.join(folder.path, "one.yaml"), entryOf(name));
      for (const [args, status] of [
        [genuine, 200],
        ...(isNew ? ([[tampered, 401]] as const) : []),
      ] as const) {
        const { stdout } = await hexhook(
          args.map((arg) =>
            arg === "test-key.pem" ? keyFiles.get(name)! : arg,
          ),
          {
            cwd: folder.path,
            env: { ...env, HEXHOOK_CONFIG: "one.yaml", PORT: String(port) },
          },
        );
        expect([name, stdout]).toEqual([
          name,
          expect.stringContaining(` ${status} `),
        ]);
      }
    }
    expect([...tamperings].sort()).toEqual([
      "",
      "--tamper body",
      "--tamper signature",
    ]);
  });
});
