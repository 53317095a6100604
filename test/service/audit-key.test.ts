import { beforeEach, describe, expect, it } from "@jest/globals";
import { generateKeyPairSync } from "node:crypto";
import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { loadConfig } from "../../src/config/load-config.ts";
import { publicKeyOf } from "../../src/audit/checkpoint.ts";
import { signingKeyFile } from "../../src/store/open.ts";
import { obtainSigningKey } from "../../src/store/signing-key-file.ts";
import { eventBody, SECRET, sqliteUrl } from "../support/fixtures.ts";
import { eventually } from "../support/eventually.ts";
import { startTestService } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { hexhook } from "../support/hexhook.ts";
import { serve } from "../support/processes.ts";

let folder: ReturnType<typeof temporaryFolder>;

beforeEach(() => {
  folder = temporaryFolder();
});

const keyFile = (): string =>
  signingKeyFile(sqliteUrl(path.join(folder.path, "hexhook.db")));

function pemOf(type: "ed25519" | "ed448" = "ed25519"): string {
  const { privateKey } =
    type === "ed25519"
      ? generateKeyPairSync("ed25519")
      : generateKeyPairSync("ed448");
  return privateKey.export({ format: "pem", type: "pkcs8" }).toString();
}

const checkpointKeys = async (
  service: Awaited<ReturnType<typeof startTestService>>,
): Promise<unknown[]> => [
  ...new Set(
    (await service.entries())
      .filter(({ action }) => action === "audit.checkpoint")
      .map(({ metadata }) => metadata["publicKey"]),
  ),
];

describe("the signing key of the trail", () => {
  it("is created once beside the store, readable only by its user, and used after restarts", async () => {
    const first = await startTestService(folder.path);
    await first.stop();
    const file = keyFile();
    const pem = readFileSync(file, "utf8");
    expect(pem).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const second = await startTestService(folder.path);
    await second.stop();
    expect(readFileSync(file, "utf8")).toBe(pem);
    expect(await checkpointKeys(second)).toEqual([
      publicKeyOf(obtainSigningKey(keyFile()).key),
    ]);
    expect(readdirSync(folder.path).filter((n) => n.includes("pem"))).toEqual([
      "hexhook.db-audit-key.pem",
    ]);
  });

  it("is read from the configuration, as PEM with real or escaped newlines, and no other is created", async () => {
    const pem = pemOf();
    const service = await startTestService(folder.path, {
      env: { AUDIT_SIGNING_KEY: pem.trim().replaceAll("\n", "\\n") },
    });
    await service.stop();
    expect(existsSync(keyFile())).toBe(false);
    const file = path.join(folder.path, "key.pem");
    writeFileSync(file, pem);
    const again = await startTestService(folder.path, {
      env: { AUDIT_SIGNING_KEY_FILE: file },
    });
    await again.stop();
    expect(await checkpointKeys(again)).toHaveLength(1);
  });

  it.each([
    ["nonsense", "geheim"],
    ["another kind of key", pemOf("ed448")],
    [
      "a public key",
      "-----BEGIN PUBLIC KEY-----\ngeheim\n-----END PUBLIC KEY-----",
    ],
  ])(
    "that is %s is rejected without being repeated in the error",
    (_what, value) => {
      const load = () =>
        loadConfig({ HEX_SECRET: SECRET, AUDIT_SIGNING_KEY: value });
      expect(load).toThrow(
        /^AUDIT_SIGNING_KEY: must be an Ed25519 private key/,
      );
      expect(load).not.toThrow(/geheim/);
    },
  );

  it("stops the startup with one line that says what to do if its file has no key", async () => {
    writeFileSync(keyFile(), "geheim");
    await expect(startTestService(folder.path)).rejects.toMatchObject({
      name: "ConfigError",
      message: expect.stringMatching(
        /^AUDIT_SIGNING_KEY: is not set, and .*hexhook\.db-audit-key\.pem is not an Ed25519 private key/,
      ),
    });
  });

  it("causes a warning if other users can read it", async () => {
    obtainSigningKey(keyFile());
    chmodSync(keyFile(), 0o644);
    const service = await startTestService(folder.path);
    await service.stop();
    expect(service.log.text).toContain("chmod 600");
  });

  it("is the same for processes that start at the same time", async () => {
    const servers = await Promise.all([
      serve(folder.path),
      serve(folder.path),
      serve(folder.path),
    ]);
    await Promise.all(servers.map((server) => server.stop()));
    const { code, stdout } = await hexhook(["audit", "verify"], {
      cwd: folder.path,
      env: { DATABASE_URL: "sqlite:hexhook.db" },
    });
    expect(code).toBe(0);
    expect(stdout.match(/^signed with the key/gm)).toHaveLength(1);
  });

  it("makes `audit verify` undecidable if checkpoints have another key, until both are given", async () => {
    const key = pemOf();
    const first = await startTestService(folder.path, {
      env: { AUDIT_SIGNING_KEY: key },
    });
    await first.post(eventBody("evt_1"));
    await first.stop();
    // A command creates no key beside the store if the key is elsewhere.
    const env = { DATABASE_URL: "sqlite:hexhook.db" };
    expect(
      await hexhook(["events", "redeliver", "evt_1"], {
        cwd: folder.path,
        env,
      }),
    ).toMatchObject({
      code: 78,
      stderr: expect.stringMatching(/^hexhook: AUDIT_SIGNING_KEY: must be set/),
    });
    const other = { ...env, AUDIT_SIGNING_KEY: pemOf() };
    expect(
      await hexhook(["events", "redeliver", "evt_1"], {
        cwd: folder.path,
        env: other,
      }),
    ).toMatchObject({
      code: 78,
      stderr: expect.stringMatching(
        /^hexhook: AUDIT_SIGNING_KEY: is not the key/,
      ),
    });
    const second = await startTestService(folder.path);
    await second.stop();
    expect(first.log.text).not.toContain("key changed");
    expect(second.log.text).toContain("audit signing key changed");
    const [before, after] = (await checkpointKeys(second)) as string[];
    const verify = (...args: string[]) =>
      hexhook(["audit", "verify", ...args], {
        cwd: folder.path,
        env: { DATABASE_URL: "sqlite:hexhook.db" },
      });
    const doubtful = await verify();
    expect(doubtful.code).toBe(2);
    expect(doubtful.stdout).toMatch(
      /^undecidable: checkpoints are signed with another key/,
    );
    expect(doubtful.stdout).toContain(before!);
    const both = ["--public-key", before!, "--public-key", after!];
    expect((await verify(...both)).code).toBe(0);
    expect((await verify("--public-key", after!)).code).toBe(1);
  });
});

describe("checkpoints", () => {
  it("are written at startup, at least every thousand entries, and at shutdown", async () => {
    const service = await startTestService(folder.path, {
      env: { AUDIT_STDOUT: "off" },
    });
    for (let n = 0; n < 22; n += 1) {
      await Promise.all(
        Array.from({ length: 50 }, (_, m) =>
          service.post(eventBody(`evt_${n}_${m}`)),
        ),
      );
    }
    await service.stop();
    const entries = await service.entries();
    const seqs = entries
      .filter(({ action }) => action === "audit.checkpoint")
      .map(({ chain }) => chain.seq);
    expect(seqs[0]).toBe(2);
    expect(seqs.at(-1)).toBe(entries.length);
    expect(seqs).toContain(1002);
    for (const [n, seq] of seqs.slice(1).entries()) {
      expect(seq - seqs[n]!).toBeLessThanOrEqual(1000);
    }
  });

  it("are written at an interval if there was a new entry", async () => {
    const service = await startTestService(folder.path, {
      env: { HANDLERS: noHandlers() },
      deps: { intervals: { checkpoint: 50, suppressed: 20 } },
    });
    const actions = async (): Promise<string[]> =>
      (await service.entries()).map(({ action }) => action);
    await service.post(eventBody("evt_1"));
    const anchored = [
      "server.started",
      "audit.checkpoint",
      "webhook.accepted",
      "audit.checkpoint",
    ];
    await eventually(async () => (await actions()).length === 4);
    expect(await actions()).toEqual(anchored);
    await service.post(eventBody("evt_2"));
    await eventually(async () => (await actions()).length === 6);
    expect(await actions()).toEqual([...anchored, ...anchored.slice(2)]);
    await service.stop();
    expect(await actions()).not.toContain("audit.suppressed");
  });
});

function noHandlers(): string {
  const file = path.join(folder.path, "none.mjs");
  writeFileSync(file, "export default {};\n");
  return file;
}
