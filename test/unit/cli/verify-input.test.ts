import { beforeEach, describe, expect, it } from "@jest/globals";
import { createHmac } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import type { Environment } from "../../../src/config/load-config.ts";
import { hexhook } from "../../support/hexhook.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const SECRET = "github-secret-0123456789abcdef";
const BODY = '{"action":"opened","n":"é"}';
const BYTES = Buffer.byteLength(BODY);

const sign = (text: string): string =>
  `sha256=${createHmac("sha256", SECRET).update(text).digest("hex")}`;

const SIGNATURE = `x-hub-signature-256: ${sign(BODY)}`;

let folder: ReturnType<typeof temporaryFolder>;

beforeEach(() => {
  folder = temporaryFolder();
});

const write = (name: string, content: string | Buffer): string => {
  const file = path.join(folder.path, name);
  writeFileSync(file, content);
  return file;
};

const run = (
  args: readonly string[],
  input: string | Buffer = "",
  env: Environment = {},
) =>
  hexhook(["verify", "--explain", ...args], {
    cwd: folder.path,
    env: { GITHUB_SECRET: SECRET, ...env },
    input,
  });

const GITHUB = ["--scheme", "github"];

const RAW = [
  "POST /webhooks/github?x=1 HTTP/1.1",
  "Host: example.com",
  "Content-Type: application/json",
  `X-Hub-Signature-256: ${sign(BODY)}`,
];

describe("hexhook verify takes", () => {
  it.each<[string, string | Buffer]>([
    ["raw HTTP", [...RAW, "", BODY].join("\r\n")],
    ["raw HTTP with LF", [...RAW, "", BODY].join("\n")],
    ["headers without a request line", `${SIGNATURE}\n\n${BODY}`],
    ["a mark before the headers", `\ufeff${SIGNATURE}\n\n${BODY}`],
    [
      "raw HTTP with the newline of an editor",
      [...RAW, `Content-Length: ${BYTES}`, "", `${BODY}\n`].join("\n"),
    ],
    [
      "raw HTTP in chunks",
      [
        ...RAW,
        "Transfer-Encoding: chunked",
        "",
        "8;x=y",
        BODY.slice(0, 8),
        (BYTES - 8).toString(16),
        BODY.slice(8),
        "0",
        "",
        "",
      ].join("\r\n"),
    ],
    [
      "the pseudo-headers of HTTP/2",
      `:method: POST\n:path: /x\n:authority: example.com\n${SIGNATURE}\n\n${BODY}`,
    ],
    [
      "repeated headers that the scheme does not read",
      `via: a\nvia: b\n${SIGNATURE}\n\n${BODY}`,
    ],
  ])("%s", async (_form, input) => {
    expect(await run(GITHUB, input)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^verified \(key [0-9a-f]{8}\)\n$/),
    });
    const file = write("request", input);
    expect((await run([...GITHUB, "--request", file])).code).toBe(0);
  });

  const CURL = (signature: string) => `*   Trying 127.0.0.1:3000...
* Connected to 127.0.0.1 (127.0.0.1) port 3000 (#0)
> POST /webhooks/github HTTP/1.1
> Host: 127.0.0.1:3000
> User-Agent: curl/7.88.1
> Accept: */*
> ${signature}
> Content-Length: ${BYTES}
>\u0020
} [${BYTES} bytes data]
< HTTP/1.1 401 Unauthorized
< content-type: application/problem+json
<\u0020
{"title":"The request could not be verified"}
`;

  it("the last request in a log of curl -v, with the body in a file", async () => {
    const file = write("body.json", BODY);
    const answer = "> POST /fake HTTP/1.1\n> x-hub-signature-256: 00\n";
    const log = CURL("x-hub-signature-256: 00") + CURL(SIGNATURE) + answer;
    expect((await run([...GITHUB, "--body", file], log)).code).toBe(0);
    const crlf = log.replaceAll("\n", "\r\n");
    expect((await run([...GITHUB, "--body", file], crlf)).code).toBe(0);

    const cut = write("cut.json", BODY.slice(0, 10));
    const { stdout } = await run([...GITHUB, "--body", cut], log);
    expect(stdout).toContain(
      `truncated: it has 10 bytes, but its Content-Length is ${BYTES}`,
    );
  });

  it("headers in options, with the body on standard input or in a file", async () => {
    const options = [...GITHUB, "-H", SIGNATURE];
    expect((await run(options, BODY)).code).toBe(0);
    const file = write("body", BODY);
    expect((await run([...options, "--body", file])).code).toBe(0);
  });

  it("a handshake that is not signed", async () => {
    const query = "hub.mode=subscribe&hub.challenge=12&hub.verify_token=";
    const env = { META_SECRET: SECRET, META_VERIFY_TOKEN: "verify-token-1" };
    const request = (token: string): string =>
      `GET https://example.com/webhooks/meta?${query}${token} HTTP/1.1\nHost: example.com\n\n`;
    const options = ["--scheme", "meta"];
    expect(await run(options, request("verify-token-1"), env)).toMatchObject({
      code: 0,
    });
    expect(await run(options, request("other"), env)).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/bad_verify_token\n {2}found: .*handshake/),
    });
  });
});

describe("hexhook verify --explain", () => {
  it("prints one JSON object", async () => {
    const { stdout, code } = await run(
      [...GITHUB, "--json"],
      `${SIGNATURE}\n\n${BODY}\n`,
    );
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toEqual({
      ok: false,
      reason: "bad_signature",
      hints: [
        expect.stringMatching(
          /^a newline was added after the body; .*raw bytes/,
        ),
      ],
      findings: [
        {
          cause: "newline-added",
          isProven: true,
          says: "a newline was added after the body",
          fix: expect.stringContaining("raw bytes"),
        },
      ],
    });
  });

  it("rejects a repeated header that the scheme reads, as the service does", async () => {
    expect(
      await run(GITHUB, `${SIGNATURE}\n${SIGNATURE}\n\n${BODY}`),
    ).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(
        /repeated_header_x-hub-signature-256\n {2}found: the header x-hub-signature-256 was sent twice/,
      ),
    });
  });

  it("compares the URL that the operator gives", async () => {
    const url = "https://example.com/webhooks/square?x=1";
    const mac = createHmac("sha256", SECRET).update(url + BODY);
    const input = `x-square-hmacsha256-signature: ${mac.digest("base64")}\n\n${BODY}`;
    const env = { SQUARE_SECRET: SECRET };
    const options = ["--scheme", "square", "--url"];
    expect((await run([...options, url], input, env)).code).toBe(0);
    const wrong = await run(
      [...options, url.replace("https", "http")],
      input,
      env,
    );
    expect(wrong.stdout).toMatch(
      /found: the sender signed the URL https:.*, but publicUrl has http:/,
    );
  });

  it("tries the secrets of all configured sources, and no others", async () => {
    const config = write(
      "hexhook.yaml",
      `sources:
  one: { scheme: github, secrets: [{ env: ONE }] }
  two: { scheme: github, secrets: [{ env: TWO }] }
`,
    );
    const env = {
      HEXHOOK_CONFIG: config,
      ONE: "another-secret-0123456789abcdef",
      TWO: SECRET,
    };
    const input = `${SIGNATURE}\n\n${BODY}`;
    expect((await run(["--source", "two"], input, env)).code).toBe(0);
    const { stdout } = await run(["--source", "one"], input, env);
    expect(stdout).toMatch(
      /found: the sender signed with the secret of the source two \(key [0-9a-f]{8}\)\n/,
    );
    expect((await run(["--source", "three"], input, env)).code).toBe(64);
  });

  it("reports a request to another endpoint than that of the source", async () => {
    const config = write(
      "hexhook.yaml",
      "sources: { github: { scheme: github, secrets: [{ env: GITHUB_SECRET }] } }\n",
    );
    const sent = (target: string) =>
      run(
        ["--source", "github"],
        [`POST ${target} HTTP/1.1`, SIGNATURE, "", BODY].join("\n"),
        { HEXHOOK_CONFIG: config },
      );
    expect(await sent("/webhooks/githbu?x=1")).toMatchObject({
      code: 0,
      stderr:
        "hexhook: the request was sent to /webhooks/githbu, but the source github receives at /webhooks/github\n",
    });
    expect(await sent("/webhooks/github?x=1")).toMatchObject({ stderr: "" });
    expect(await sent("/behind/a/proxy")).toMatchObject({ stderr: "" });
  });

  it.each([
    ["one letter", "a".repeat(8_000_000)],
    ["spaces inside", `a${" ".repeat(1_000_000)}b`],
    ["NUL bytes inside", `a${"\0".repeat(1_000_000)}b`],
  ])(
    "ends for a large body that no known change explains: %s",
    async (_what, large) => {
      const { stdout } = await run(GITHUB, `${SIGNATURE}\n\n${large}`);
      expect(stdout).toContain("too large to try all known changes");
    },
  );
});

describe("hexhook verify rejects", () => {
  it.each<[string, readonly string[], string | Buffer, RegExp]>([
    [
      "UTF-16",
      GITHUB,
      Buffer.from(`\ufeff${SIGNATURE}`, "utf16le"),
      /UTF-16.*PowerShell/,
    ],
    ["a line that is no header", GITHUB, "x\n\n{}", /`name: value`/],
    ["no body", GITHUB, SIGNATURE, /has no body.*--body/],
    [
      "a log of curl without a body",
      GITHUB,
      "> POST / HTTP/1.1\n> a: b\n> \n",
      /has no body.*--body/,
    ],
    [
      "two bodies",
      [...GITHUB, "--body", "body"],
      `${SIGNATURE}\n\n${BODY}`,
      /leave out --body/,
    ],
    ["a missing file", [...GITHUB, "--body", "none"], "", /--body: ENOENT/],
    ["a URL of no scheme", [...GITHUB, "--url", "x"], "a: b\n\n", /--url must/],
    ["an unknown scheme", ["--scheme", "x"], "a: b\n\n", /no scheme "x"/],
    [
      "a source and a scheme",
      [...GITHUB, "--source", "hex"],
      "",
      /cannot be used with/,
    ],
    [
      "headers and a request",
      [...GITHUB, "-H", "a: b", "--request", "x"],
      "",
      /cannot be used with/,
    ],
  ])("%s", async (_what, args, input, message) => {
    write("body", BODY);
    const { code, stderr } = await run(args, input);
    expect([code, stderr]).toEqual([64, expect.stringMatching(message)]);
  });

  it("a scheme without its secret", async () => {
    const input = `${SIGNATURE}\n\n${BODY}`;
    expect(await run(["--scheme", "stripe"], input)).toMatchObject({
      code: 78,
      stderr: expect.stringContaining("STRIPE_SECRET: is not set"),
    });
  });
});
