import { beforeEach, describe, expect, it } from "@jest/globals";
import { readFileSync, statSync } from "node:fs";
import path from "node:path";
import type { Environment } from "../../../src/config/load-config.ts";
import { keyIdOf } from "../../../src/domain/key-id.ts";
import { eventBody, SECRET, signed, TODAY } from "../../support/fixtures.ts";
import { hexhook } from "../../support/hexhook.ts";
import { startTestService } from "../../support/service.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

let folder: ReturnType<typeof temporaryFolder>;

beforeEach(() => {
  folder = temporaryFolder();
});

const inFolder = (name: string): string => path.join(folder.path, name);

const run = (args: readonly string[], env: Environment = {}) =>
  hexhook(args, {
    cwd: folder.path,
    env: { DATABASE_URL: "sqlite:hexhook.db", ...env },
  });

describe("hexhook secrets", () => {
  const days = (count: number): string =>
    new Date(Date.now() - count * 86_400_000).toISOString();

  it("generates a secret that the service accepts, and prints nothing else on standard output", async () => {
    const { code, stdout, stderr } = await run(["secrets", "generate"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^[0-9a-f]{64}\n$/);
    expect(stderr).toContain(`key id ${keyIdOf(stdout.trim())}`);
    expect(stderr).not.toContain(stdout.trim());
    const check = await run(["secrets", "check"], {
      HEX_SECRET: stdout.trim(),
      HEX_SECRET_CREATED_AT: TODAY,
    });
    expect(check.code).toBe(0);
  });

  it("writes a generated secret to a new file with mode 0600, and overwrites no file", async () => {
    const args = ["secrets", "generate", "--json", "--file", "secret"];
    const { code, stdout } = await run(args);
    expect(code).toBe(0);
    const secret = readFileSync(inFolder("secret"), "utf8");
    expect(JSON.parse(stdout)).toEqual({
      file: "secret",
      keyId: keyIdOf(secret.trim()),
      createdAt: expect.stringMatching(/^\d{4}-\d{2}-\d{2}$/),
    });
    expect(statSync(inFolder("secret")).mode & 0o777).toBe(0o600);
    const again = await run(args);
    expect(again.code).toBe(64);
    expect(readFileSync(inFolder("secret"), "utf8")).toBe(secret);
  });

  it.each([
    ["fresh", days(1), 0, /1 days old: ok/],
    ["due", days(80), 0, /80 days old: due for rotation/],
    ["overdue", days(90), 1, /90 days old: OVERDUE/],
    ["without a date", undefined, 1, /AGE UNKNOWN/],
  ])(
    "checks the age of the secrets: %s",
    async (_what, createdAt, exit, line) => {
      const { code, stdout } = await run(["secrets", "check"], {
        HEX_SECRET: SECRET,
        ...(createdAt === undefined
          ? {}
          : { HEX_SECRET_CREATED_AT: createdAt }),
      });
      expect(code).toBe(exit);
      expect(stdout).toMatch(line);
      expect(stdout).not.toContain(SECRET);
    },
  );

  it("shows when each secret was last used", async () => {
    const secrets = {
      HEX_SECRET: SECRET,
      HEX_SECRET_CREATED_AT: TODAY,
      HEX_SECRET_PREVIOUS: "previous-signing-secret-0123456789",
      HEX_SECRET_PREVIOUS_EXPIRES_AT: "2099-01-01",
      HEX_READ_KEY: "read-key-0123456789",
    };
    const service = await startTestService(folder.path, {
      env: { ...secrets, HEX_READ_KEY: undefined },
    });
    const body = eventBody("evt_1");
    await service.post(
      body,
      signed(body, { secret: secrets.HEX_SECRET_PREVIOUS }),
    );
    const { stdout } = await run(["secrets", "check", "--json"], secrets);
    const lines = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as object);
    expect(lines).toMatchObject([
      {
        name: "HEX_SECRET",
        role: "current",
        source: "hex",
        lastUsedAt: null,
        age: "fresh",
      },
      {
        name: "HEX_SECRET_PREVIOUS",
        role: "previous",
        lastUsedAt: expect.stringMatching(/^20/),
        expiresAt: "2099-01-01T00:00:00.000Z",
      },
      { name: "HEX_READ_KEY", role: "api", source: null },
    ]);
    const text = await run(["secrets", "check"], secrets);
    expect(text.stdout).toMatch(
      /never used, according.*\n.*PREVIOUS.*\n.*accepted until.*\n.*last used 20/,
    );
  });

  it("rejects a weak secret with one line", async () => {
    const { code, stderr } = await run(["secrets", "check"], {
      HEX_SECRET: "short",
    });
    expect(code).toBe(78);
    expect(stderr).toMatch(/^hexhook: HEX_SECRET: is shorter/);
  });
});
