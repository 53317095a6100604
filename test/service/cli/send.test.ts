import { beforeAll, describe, expect, it } from "@jest/globals";
import { writeFileSync } from "node:fs";
import path from "node:path";
import type { Environment } from "../../../src/config/load-config.ts";
import { OTHER_SECRET, SECRET } from "../../support/fixtures.ts";
import { hexhook } from "../../support/hexhook.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { readColumn } from "../../support/store-file.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

let folder: ReturnType<typeof temporaryFolder>;
let service: TestService;

beforeAll(async () => {
  folder = temporaryFolder();
  service = await startTestService(folder.path);
});

const run = (
  args: readonly string[],
  input: string | Buffer = "",
  env: Environment = {},
) =>
  hexhook(args, {
    cwd: folder.path,
    env: {
      HEX_SECRET: SECRET,
      DATABASE_URL: "sqlite:hexhook.db",
      PORT: String(service.port),
      ...env,
    },
    input,
  });

describe("hexhook send", () => {
  it("sends deliveries, prints each status, and exits with 0 when each is the expected one", async () => {
    const one = await run(["send", "--id", "evt_cli", "--type", "a.b"]);
    expect(one.stdout).toMatch(/^1: evt_cli 200 accepted \(\d+ ms\)\n$/);
    expect(one.code).toBe(0);

    const repeat = await run(["send", "--repeat", "--json"]);
    expect(repeat.code).toBe(0);
    expect(
      repeat.stdout
        .trim()
        .split("\n")
        .map((line) => (JSON.parse(line) as { verdict: string }).verdict),
    ).toEqual(["accepted", "replayed"]);

    const many = await run(["send", "--count", "30", "--concurrency", "5"]);
    expect(many.stdout).toContain("30 x 200 accepted");
    expect(many.code).toBe(0);
  });

  it.each(["body", "signature", "timestamp"])(
    "exits with 0 when a delivery with --tamper %s is rejected",
    async (part) => {
      const { stdout, code } = await run(["send", "--tamper", part]);
      expect(stdout).toMatch(/^1: evt_\S+ 401 unauthorized/);
      expect(code).toBe(0);
    },
  );

  it("exits with 1 when a delivery is not accepted: stale, wrong secret, no service", async () => {
    const stale = await run(["send", "--timestamp", "1700000000"]);
    expect([stale.code, stale.stdout]).toEqual([
      1,
      expect.stringMatching(/^1: evt_\S+ 401 unauthorized/),
    ]);
    const wrong = await run(["send"], "", { HEX_SECRET: OTHER_SECRET });
    expect(wrong.code).toBe(1);
    const noService = await run(["send", "--url", "http://127.0.0.1:1/"]);
    expect(noService.code).toBe(1);
    expect(noService.stdout).toMatch(
      /^1: evt_\S+ no response \(.+\): is the service/,
    );
  });

  it("sends a file byte for byte, and --data as the complete body when it has id and type", async () => {
    const body = Buffer.from(
      '{"id":"evt_file","type":"t","x":"\xff"}',
      "latin1",
    );
    writeFileSync(path.join(folder.path, "body.json"), body);
    expect((await run(["send", "--file", "body.json"])).code).toBe(0);
    expect(
      (await run(["send", "--data", '{ "id": "evt_data", "type": "t" }'])).code,
    ).toBe(0);
    const bodyOf = (id: string) => {
      const file = path.join(folder.path, "hexhook.db");
      const sql = "SELECT body FROM event WHERE id = ?";
      return Buffer.from(readColumn(file, sql, id)[0] as Uint8Array);
    };
    expect(body.equals(bodyOf("evt_file"))).toBe(true);
    expect(bodyOf("evt_data").toString()).toBe(
      '{ "id": "evt_data", "type": "t" }',
    );
  });
});
