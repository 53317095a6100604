import { beforeAll, describe, expect, it } from "@jest/globals";
import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import type { Environment } from "../../../src/config/load-config.ts";
import { SCHEMES } from "../../../src/signature/schemes.ts";
import { SECRET } from "../../support/fixtures.ts";
import { hexhook } from "../../support/hexhook.ts";
import { secretFor } from "../../support/scheme-secrets.ts";
import { startTestService } from "../../support/service.ts";
import { readColumn } from "../../support/store-file.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const ALL = [...SCHEMES.values()];
const KEY_SCHEMES = ALL.filter((scheme) => secretFor(scheme).privateKey);

const variableOf = (name: string): string =>
  `${name.replaceAll("-", "_").toUpperCase()}_TEST_SECRET`;

const hasEmptyResponse = (name: string): boolean =>
  SCHEMES.get(name)?.wantsEmptyResponses === true;

const FIXED = `  fixed:
    scheme: token
    secrets: [{ env: FIXED_SECRET, createdAt: 2026-11-01 }]
    token: { header: X-Fixed }
`;

const LEGACY = `  legacy:
    scheme: custom
    secrets: [{ env: LEGACY_SECRET, createdAt: 2026-11-01 }]
    custom:
      signature: { header: x-sig, prefix: "sha256=", encoding: hex }
      algorithm: sha256
      signed: "{timestamp}.{body}"
      timestamp: { header: x-ts, unit: s }
      id: { pointer: /event/id }
      type: { header: x-event }
`;

/** Standard Webhooks with a key pair. */
const PAIR = `  pair:
    scheme: standard-webhooks
    secrets: [{ env: PAIR_SECRET, createdAt: 2026-11-01 }]
`;
const PAIR_KEYS = generateKeyPairSync("ed25519");

/** Returns the raw bytes at the end of a key, which are the public key or the seed, in base64. */
const rawKey = (der: Buffer): string => der.subarray(-32).toString("base64");

/** The entry of each source in the configuration file. */
const ENTRIES = new Map([
  ...ALL.map(({ name }): [string, string] => [
    name,
    `  ${name}:
    scheme: ${name}
    secrets: [{ env: ${variableOf(name)}, createdAt: 2026-11-01 }]
    publicUrl: https://hooks.example.com/webhooks/${name}
`,
  ]),
  ["fixed", FIXED],
  ["legacy", LEGACY],
  ["pair", PAIR],
]);

let folder: ReturnType<typeof temporaryFolder>;
let env: Environment;

const inFolder = (name: string): string => path.join(folder.path, name);

beforeAll(async () => {
  folder = temporaryFolder();
  const all = [...ENTRIES.values()].join("");
  writeFileSync(inFolder("hexhook.yaml"), `sources:\n${all}`);
  for (const [name, entry] of ENTRIES) {
    writeFileSync(inFolder(`${name}.yaml`), `sources:\n${entry}`);
  }
  for (const scheme of KEY_SCHEMES) {
    const pem = secretFor(scheme).privateKey!.export({
      format: "pem",
      type: "pkcs8",
    });
    writeFileSync(inFolder(`${scheme.name}.pem`), pem);
  }
  const seed = PAIR_KEYS.privateKey.export({ format: "der", type: "pkcs8" });
  writeFileSync(inFolder("pair.pem"), `whsk_${rawKey(seed)}\n`);
  const configured: Environment = {
    ...Object.fromEntries(
      ALL.map((scheme) => [variableOf(scheme.name), secretFor(scheme).text]),
    ),
    PAIR_SECRET: `whpk_${rawKey(PAIR_KEYS.publicKey.export({ format: "der", type: "spki" }))}`,
    FIXED_SECRET: `fixed-${SECRET}`,
    LEGACY_SECRET: `legacy-${SECRET}`,
    HEXHOOK_CONFIG: inFolder("hexhook.yaml"),
  };
  const { port } = await startTestService(folder.path, { env: configured });
  env = { ...configured, PORT: String(port) };
});

/** Runs a command whose configuration has only its source, because that is faster. */
const run = (args: readonly string[], input: string | Buffer = "") =>
  hexhook(args, {
    cwd: folder.path,
    env: {
      ...env,
      HEXHOOK_CONFIG: inFolder(`${args[args.indexOf("--source") + 1]}.yaml`),
    },
    input,
  });

const keyOptions = (name: string): readonly string[] =>
  name === "pair" || KEY_SCHEMES.some((scheme) => scheme.name === name)
    ? ["--private-key", `${name}.pem`]
    : [];

describe("hexhook send", () => {
  it.each([...ENTRIES.keys()])(
    "sends a sample that is accepted: %s",
    async (name) => {
      const args = ["send", "--source", name, "--sample", ...keyOptions(name)];
      const { code, stdout, stderr } = await run(args);
      expect([code, stderr]).toEqual([0, ""]);
      expect(stdout).toMatch(
        hasEmptyResponse(name)
          ? /^1: 200 \(\d+ ms\)\n$/
          : /^1: \S+ 200 accepted \(\d+ ms\)\n$/,
      );
    },
  );

  it.each(["stripe", "twilio", "discord", "mailgun", "box", "fixed", "legacy"])(
    "sends a forgery that is rejected: %s",
    async (name) => {
      const args = ["send", "--source", name, ...keyOptions(name)];
      const forged = await run([...args, "--tamper", "signature"]);
      expect(forged.stdout).toMatch(/^1: \S*.*401 unauthorized \(\d+ ms\)\n$/);
      expect([forged.code, forged.stderr]).toEqual([0, ""]);
    },
  );

  it("sends a sample by default, except for hex", async () => {
    const bodyOf = (id: string): string => {
      const sql = "SELECT body FROM event WHERE id = ?";
      const [body] = readColumn(inFolder("hexhook.db"), sql, id);
      return Buffer.from(body as Uint8Array).toString();
    };
    await run(["send", "--source", "stripe", "--id", "evt_default"]);
    expect(bodyOf("evt_default")).toContain('"object":"event"');
    await run(["send", "--source", "hex", "--id", "evt_plain"]);
    expect(bodyOf("evt_plain")).toBe(
      '{"id":"evt_plain","type":"hexhook.test","data":{}}',
    );
    const custom = ["send", "--source", "legacy", "--id", "evt_custom"];
    await run([...custom, "--data", '{"event":{"id":"evt_custom"}}']);
    await run([...custom, "--type", "a.b"]);
    expect(bodyOf("evt_custom")).toBe(
      '{"event":{"id":"evt_custom"},"data":{}}',
    );
  });

  it("sends a file with an id and a type in headers", async () => {
    writeFileSync(inFolder("push.json"), '{"ref":"refs/heads/main"}');
    const args = ["send", "--source", "github", "--file", "push.json"];
    const { stdout } = await run([...args, "--id", "72d3", "--type", "push"]);
    expect(stdout).toMatch(/^1: 72d3 200 accepted/);
    const file = inFolder("hexhook.db");
    const sql = "SELECT type FROM event WHERE id = ?";
    expect(readColumn(file, sql, "72d3")).toEqual(["push"]);
  });

  it.each(["zoom", "fixed"])(
    "sends several different samples: %s",
    async (name) => {
      const { stdout } = await run(["send", "--source", name, "--count", "3"]);
      expect(stdout.match(/200 accepted/g)).toHaveLength(3);
    },
  );

  it.each([
    [
      "--id without a place",
      ["--source", "zoom", "--id", "x"],
      "--id: messages of the scheme zoom have no id; leave it out",
    ],
    [
      "--type without a place",
      ["--source", "xero", "--type", "x"],
      "--type: messages of the scheme xero have no type; leave it out",
    ],
    [
      "--id in a given body",
      ["--source", "stripe", "--data", "{}", "--id", "x"],
      "--id: the scheme stripe has it in the body, which is given; leave it out",
    ],
    [
      "several bodies",
      ["--source", "stripe", "--data", "{}", "--sample"],
      "--file, --data and --sample are different bodies: leave out all but one",
    ],
    [
      "--tamper of what is not signed",
      ["--source", "gitlab", "--tamper", "body"],
      "--tamper body: the scheme gitlab does not sign the body, so a change is not noticed",
    ],
    [
      "a missing private key",
      ["--source", "discord"],
      "cannot sign for source discord: the secret is a public key; the private key is needed to sign: name its file with --private-key",
    ],
    [
      "the private key of another source",
      ["--source", "discord", "--private-key", "other.pem"],
      "cannot sign for source discord: the private key does not belong to the public key of the source",
    ],
    [
      "a file without a private key",
      ["--source", "discord", "--private-key", "hexhook.yaml"],
      "--private-key: the file must have a private key without a passphrase, in PEM or after whsk_",
    ],
  ])("says what to do for %s", async (_what, args, message) => {
    const { privateKey } = generateKeyPairSync("ed25519");
    const pem = privateKey.export({ format: "pem", type: "pkcs8" });
    writeFileSync(inFolder("other.pem"), pem);
    const { code, stdout, stderr } = await run(["send", ...args]);
    expect([code, stdout, stderr]).toEqual([
      64,
      "",
      `hexhook: ${message}\nSee 'hexhook send --help'.\n`,
    ]);
  });
});

describe("hexhook sign --request", () => {
  it.each(["linear", "mailgun", "twilio", "hubspot", "slack", "box"])(
    "prints a request that verify accepts: %s",
    async (name) => {
      const body =
        name === "twilio"
          ? "MessageSid=SM1&MessageStatus=sent"
          : '{"webhookTimestamp":1,"signature":{"token":"t","timestamp":"1"}}';
      const request = await run(["sign", "--source", name, "--request"], body);
      expect(request.stdout).toMatch(
        /^POST \/webhooks\/[a-z]+ HTTP\/1\.1\r\nhost: hooks\.example\.com\r\n/,
      );
      const verified = await run(["verify", "--source", name], request.stdout);
      expect(verified.stdout).toMatch(/^verified \(key [0-9a-f]{8}\)/);
      expect(verified.code).toBe(0);
    },
  );

  it("is needed if the signature or the time is in the body", async () => {
    const args = ["sign", "--source", "mailgun"];
    const { code, stderr } = await run(args, '{"signature":{}}');
    expect(code).toBe(64);
    expect(stderr).toContain("print the whole request with --request");
  });
});
