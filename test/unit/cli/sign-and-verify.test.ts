import { beforeEach, describe, expect, it } from "@jest/globals";
import type { Environment } from "../../../src/config/load-config.ts";
import { SECRET } from "../../support/fixtures.ts";
import { hexhook } from "../../support/hexhook.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

let folder: ReturnType<typeof temporaryFolder>;

beforeEach(() => {
  folder = temporaryFolder();
});

const run = (
  args: readonly string[],
  input: string | Buffer = "",
  env: Environment = {},
) =>
  hexhook(args, {
    cwd: folder.path,
    env: { HEX_SECRET: SECRET, DATABASE_URL: "sqlite:hexhook.db", ...env },
    input,
  });

describe("hexhook sign and verify", () => {
  const body = Buffer.from('{"id":"evt_1","type":"t","x":"\xff"}\n', "latin1");

  it("agree, through a pipe and by options, on any bytes", async () => {
    const { stdout } = await run(["sign"], body);
    const message = Buffer.concat([Buffer.from(`${stdout}\n`), body]);
    expect(await run(["verify"], message)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^verified \(key [0-9a-f]{8}\)\n$/),
    });
    const headers = stdout.trim().split("\n");
    const options = headers.flatMap((line) => ["-H", line]);
    expect((await run(["verify", ...options], body)).code).toBe(0);
  });

  it.each<[string, (signed: string[]) => string[], Buffer, RegExp]>([
    [
      "a changed body",
      (h) => h,
      Buffer.from("{}"),
      /bad_signature[^]*not signed with a secret of this source/,
    ],
    [
      "a removed newline",
      (h) => h,
      body.subarray(0, -1),
      /bad_signature[^]*newline after the body was removed/,
    ],
    [
      "an added newline",
      (h) => h,
      Buffer.concat([body, Buffer.from("\n")]),
      /a newline was added/,
    ],
    [
      "CRLF",
      (h) => h,
      Buffer.from(body.toString("latin1").replace("\n", "\r\n"), "latin1"),
      /LF was changed to CRLF/,
    ],
    [
      "no signature",
      (h) => h.slice(0, 1),
      body,
      /missing_signature[^]*x-hex-signature is missing/,
    ],
    [
      "milliseconds",
      ([, s]) => ["x-hex-timestamp: 1800000000000", s ?? ""],
      body,
      /malformed_timestamp[^]*milliseconds/,
    ],
    [
      "a prefix",
      ([t, s]) => [t ?? "", (s ?? "").replace(": ", ": sha256=")],
      body,
      /malformed_signature[^]*prefix/,
    ],
  ])(
    "say why for %s, and never show a signature",
    async (_what, change, received, why) => {
      const { stdout } = await run(["sign"], body);
      const signature = /x-hex-signature: (\w+)/.exec(stdout)?.[1];
      const headers = change(stdout.trim().split("\n"));
      const message = Buffer.concat([
        Buffer.from(`${headers.join("\n")}\n\n`),
        received,
      ]);
      const verdict = await run(["verify", "--explain"], message);
      expect(verdict.code).toBe(1);
      expect(verdict.stdout).toMatch(why);
      expect(verdict.stdout).not.toContain(signature);
      expect(verdict.stdout).not.toContain(SECRET);
    },
  );

  it("explain a valid but stale signature, a body that was serialised again, and the other scheme", async () => {
    const old = await run(["sign", "--timestamp", "1700000000"], body);
    const stale = await run(
      ["verify", "--explain"],
      Buffer.concat([Buffer.from(`${old.stdout}\n`), body]),
    );
    expect(stale.stdout).toMatch(/stale_timestamp[^]*the signature is valid/);
    const then = await run(
      ["verify", "--now", "1700000100"],
      Buffer.concat([Buffer.from(`${old.stdout}\n`), body]),
    );
    expect(then.code).toBe(0);

    const compact = '{"a":1,"id":"x"}';
    const { stdout } = await run(["sign"], compact);
    const reprinted = await run(
      ["verify", "--explain"],
      `${stdout}\n{ "a": 1, "id": "x" }`,
    );
    expect(reprinted.stdout).toContain("parsed and serialised again");

    const bodyOnly = await run(["sign"], compact, {
      HEX_SIGNATURE_SCHEME: "hex-body",
    });
    const other = await run(
      ["verify", "--explain", "--json"],
      `x-hex-timestamp: 1700000000\n${bodyOnly.stdout}\n${compact}`,
    );
    expect(JSON.parse(other.stdout)).toMatchObject({
      ok: false,
      reason: "bad_signature",
      findings: [
        {
          cause: "other-scheme",
          says: expect.stringContaining("valid for the scheme hex-body"),
        },
      ],
    });
  });
});
