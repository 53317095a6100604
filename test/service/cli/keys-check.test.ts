import { beforeEach, describe, expect, it } from "@jest/globals";
import path from "node:path";
import type { Environment } from "../../../src/config/load-config.ts";
import { keyIdOf } from "../../../src/domain/key-id.ts";
import { startHexApi, status } from "../../support/hex-api.ts";
import { hexhook } from "../../support/hexhook.ts";
import { readTrail } from "../../support/read-trail.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const KEY = "good-key-0123456789";

let api: Awaited<ReturnType<typeof startHexApi>>;
let folder: ReturnType<typeof temporaryFolder>;

beforeEach(async () => {
  folder = temporaryFolder();
  api = await startHexApi();
  api.otherwise((res, call, take) => {
    status(call.key === `Bearer ${KEY}` ? 200 : 401)(res, call, take);
  });
});

const run = (args: readonly string[], env: Environment = {}) =>
  hexhook(args, {
    cwd: folder.path,
    env: { HEX_API_URL: api.url, DATABASE_URL: "sqlite:hexhook.db", ...env },
  });

describe("hexhook keys check", () => {
  it("calls the API with each key, reports which keys it accepts, and audits each call with the operator's name", async () => {
    const keys = {
      HEX_READ_KEY: KEY,
      HEX_WRITE_KEY: "revoked-key-0123456789",
    };
    const { code, stdout } = await run(["keys", "check", "--as", "eve"], keys);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^HEX_READ_KEY +[0-9a-f]{8} +ok/);
    expect(stdout).toMatch(/\nHEX_WRITE_KEY +[0-9a-f]{8} +FAILED: .*401/);
    expect(stdout).not.toMatch(/0123456789/);
    expect(api.calls.map(({ method, path: at }) => `${method} ${at}`)).toEqual([
      "GET /health",
      "GET /health",
    ]);
    const calls = (
      await readTrail(path.join(folder.path, "hexhook.db"))
    ).filter(({ action }) => action === "hex.api.call");
    expect(calls).toMatchObject([
      {
        userId: "operator:eve",
        result: "success",
        metadata: { keyId: keyIdOf(KEY) },
      },
      { userId: "operator:eve", result: "failure", metadata: { status: 401 } },
    ]);
  });

  it("prints one JSON object a line, and exits with 0 when all keys are accepted", async () => {
    const { code, stdout } = await run(["keys", "check", "--json"], {
      HEX_API_KEY: KEY,
    });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      variable: "HEX_API_KEY",
      keyId: keyIdOf(KEY),
      ok: true,
    });
  });

  it("makes no call when read:health is not granted, and reports a missing key", async () => {
    const denied = await run(["keys", "check"], {
      HEX_READ_KEY: KEY,
      HEX_SCOPES: "write:audit",
    });
    expect(denied.code).toBe(1);
    expect(denied.stdout.replace(/\s+/g, " ")).toMatch(
      /read:health: HEX_SCOPES does not grant it/,
    );
    expect(api.calls).toEqual([]);
    const none = await run(["keys", "check"]);
    expect([none.code, none.stderr]).toEqual([
      78,
      expect.stringMatching(/HEX_READ_KEY: no key/),
    ]);
  });
});
