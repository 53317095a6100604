import { beforeEach, describe, expect, it } from "@jest/globals";
import { configFiles } from "../../support/config-file.ts";
import { SECRET } from "../../support/fixtures.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

let folder: ReturnType<typeof temporaryFolder>;

beforeEach(() => {
  folder = temporaryFolder();
});

const { secretFile, withFile, fileErrors } = configFiles(() => folder.path);

const TOKEN = "Bearer 3f9c0a7be1d24458";
const URL_ENTRY = "url: 'http://a/'";

/** Loads a file whose only destination `a` has these settings. */
const entry = (settings: string, env = {}) =>
  withFile(`destinations: { a: { ${settings} } }`, env).destinations[0]!;
const errors = (settings: string, env = {}) =>
  fileErrors(`destinations: { a: { ${settings} } }`, env).map((error) =>
    error.replace(/^destinations\.a\./, ""),
  );

describe("a destination of the file", () => {
  it.each([URL_ENTRY, "handler: x"])(
    "may set schedule, timeout, rate limit and maximum age: %s",
    (where) => {
      expect(
        entry(
          `${where}, retrySchedule: '1ms,2s, 3m,4h', timeout: 500ms, rateLimit: 20/s, maxAge: 8760h`,
        ),
      ).toMatchObject({
        retryScheduleMs: [1, 2000, 180_000, 14_400_000],
        attemptTimeoutMs: 500,
        rateLimit: { attempts: 20, perMs: 1000 },
        maxAgeMs: 31_536_000_000,
      });
      expect(
        entry(`${where}, retrySchedule: [ 5s, 1m ], rateLimit: 10000/h`),
      ).toMatchObject({
        retryScheduleMs: [5000, 60_000],
        rateLimit: { attempts: 10_000, perMs: 3_600_000 },
      });
    },
  );

  it("leaves other settings undefined", () => {
    for (const where of [URL_ENTRY, "handler: x"]) {
      const { retryScheduleMs, attemptTimeoutMs, rateLimit, maxAgeMs } =
        entry(where);
      expect([retryScheduleMs, attemptTimeoutMs, rateLimit, maxAgeMs]).toEqual([
        undefined,
        undefined,
        undefined,
        undefined,
      ]);
    }
  });

  const SCHEDULE =
    "must be a list of times greater than 0, such as 5s,30s,2m,1h";
  const TIMEOUT = "must be a time from 1ms to 1h, in ms, s, m or h, such as 1h";
  const AGE =
    "must be a time from 1s to 8760h, in ms, s, m or h, such as 8760h";
  const RATE =
    "must be a rate such as 20/s, 100/m or 500/h: 1 to 10000 in a second, minute or hour";

  it.each([
    ...[
      "''",
      "5",
      "~",
      "[]",
      "[ 5 ]",
      "[ 0s ]",
      "5s;1m",
      "'5s,,1m'",
      "{}",
      "1d",
    ].map((value) => ["retrySchedule", value, SCHEDULE] as const),
    [
      "retrySchedule",
      `'${Array(101).fill("1s").join(",")}'`,
      "must have at most 100 entries",
    ] as const,
    ...["''", "5", "~", "0s", "61m", "2h", "-1s", "1.5s", "[ 5s ]"].map(
      (value) => ["timeout", value, TIMEOUT] as const,
    ),
    ...["''", "60", "~", "999ms", "8761h", "0s", "1d", "[ 5s ]"].map(
      (value) => ["maxAge", value, AGE] as const,
    ),
    ...[
      "''",
      "20",
      "~",
      "0/s",
      "10001/s",
      "1/d",
      "-1/s",
      "1.5/s",
      "/s",
      "20 / s",
      "[ 1/s ]",
    ].map((value) => ["rateLimit", value, RATE] as const),
  ])("is rejected with %s: %s", (key, value, error) => {
    for (const where of [URL_ENTRY, "handler: x"]) {
      expect(errors(`${where}, ${key}: ${value}`)).toEqual([
        `${key}: ${error}`,
      ]);
    }
  });

  const KEYS =
    "known keys are handler, events, concurrency, orderBy, retrySchedule, timeout, rateLimit, maxAge";
  const KNOWN = `is not a known key; the ${KEYS}`;

  it("lists the known keys of its kind when one is unknown", () => {
    expect(errors("handler: x, event: y")).toEqual([
      `event: is not a known key; did you mean events? The ${KEYS}`,
    ]);
    expect(errors("handler: x, other: y")).toEqual([`other: ${KNOWN}`]);
  });

  it("explains a schedule without quotes", () => {
    const hint = "put the schedule in quotes, or write a list: [5s, 30s]";
    expect(errors("handler: x, retrySchedule: 5s,30s, 2m")).toEqual([
      `30s: ${KNOWN}; ${hint}`,
      `2m: ${KNOWN}; ${hint}`,
    ]);
  });
});

describe("headers of a destination", () => {
  it("are strings or references to secrets", () => {
    const file = secretFile("Basic dXNlcjpwYXNz\n");
    const { destinations, secretFiles, warnings } = withFile(
      `destinations: { a: { ${URL_ENTRY}, headers: {
        X-Tenant: "blue  green", x-region: eu-1, __proto__: kept,
        Authorization: { env: HEX_BILLING_AUTH }, X-Api-Key: { file: ${file} } } } }`,
      { HEX_BILLING_AUTH: TOKEN },
    );
    expect(destinations[0]).toMatchObject({
      headers: [
        { name: "x-tenant", value: "blue  green", isSecret: false },
        { name: "x-region", value: "eu-1", isSecret: false },
        { name: "__proto__", value: "kept", isSecret: false },
        { name: "authorization", value: TOKEN, isSecret: true },
        { name: "x-api-key", value: "Basic dXNlcjpwYXNz", isSecret: true },
      ],
    });
    expect(secretFiles).toContain(file);
    expect(warnings).toEqual([]);
  });

  it("are also read from NAME_FILE, which is then watched", () => {
    const file = secretFile(TOKEN);
    const { secretFiles } = withFile(
      `destinations: { a: { ${URL_ENTRY}, headers: { authorization: { env: AUTH } } } }`,
      { AUTH_FILE: file },
    );
    expect(secretFiles).toContain(file);
  });

  it("apply only to destinations with url", () => {
    expect(errors("handler: x, headers: { x-a: b }")).toEqual([
      "headers: applies only to a destination with url; remove it",
    ]);
  });

  const SET = "is set by Hexhook or by HTTP; remove it";
  const TEXT = "must be a string in quotes, { env: NAME } or { file: PATH }";
  const LITERAL =
    "contains a credential, so it must be { env: NAME } or { file: PATH }; this file must not contain secrets";
  const CHARACTERS =
    "must be 1 to 4096 characters of visible ASCII, with spaces only between them";
  const MAP = "must be a map from header names to strings or references";

  it.each<[string, string]>([
    ["~", `headers: ${MAP}`],
    ["[ 'Authorization: geheim' ]", `headers: ${MAP}`],
    ["geheim", `headers: ${MAP}`],
    ...[
      "Content-Type",
      "content-length",
      "content-encoding",
      "Host",
      "connection",
      "keep-alive",
      "proxy-authorization",
      "proxy-connection",
      "te",
      "trailer",
      "Transfer-Encoding",
      "upgrade",
      "expect",
      "http2-settings",
      "user-agent",
      "traceparent",
      "tracestate",
      "webhook-id",
      "WEBHOOK-anything",
      "x-hexhook-source",
      "X-Hexhook-anything",
    ].map((name): [string, string] => [
      `{ ${name}: geheim }`,
      `headers.${name}: ${SET}`,
    ]),
    ...[
      "''",
      "'a b'",
      "'a:'",
      "'Authorization: geheim'",
      '"a\\r\\nb"',
      "ä",
    ].map((name): [string, string] => [
      `{ x-ok: b, ${name}: geheim }`,
      "headers: name 2 is not a valid header name",
    ]),
    [
      "{ X-A: geheim, x-a: geheim }",
      "headers.x-a: is a duplicate, because header names ignore case; remove it",
    ],
    ...["5", "true", "~", "[ geheim ]"].map((value): [string, string] => [
      `{ x-a: ${value} }`,
      `headers.x-a: ${TEXT}`,
    ]),
    ...[
      "authorization",
      "Cookie",
      "x-api-key",
      "x-auth",
      "my-token-2",
      "client_secret",
      "x-password",
      "x-signature",
    ].map((name): [string, string] => [
      `{ ${name}: geheim }`,
      `headers.${name}: ${LITERAL}`,
    ]),
    ...["'Bearer geheim'", "'basic geheim'", "whsec_geheim"].map(
      (value): [string, string] => [
        `{ x-a: ${value} }`,
        `headers.x-a: ${LITERAL}`,
      ],
    ),
    ...[
      "''",
      "' geheim'",
      "'geheim '",
      '"a\\r\\nx: geheim"',
      '"a\\nb"',
      '"a\\tb"',
      '"a\\0b"',
      '"\\x7f"',
      "'ä'",
    ].map((value): [string, string] => [
      `{ x-a: ${value} }`,
      `headers.x-a: ${CHARACTERS}`,
    ]),
    [
      "{ x-a: { env: NONE_SUCH } }",
      "headers.x-a: NONE_SUCH is not set; set it, or set NONE_SUCH_FILE to the path of a file",
    ],
    [
      "{ x-a: { env: A, file: b } }",
      "headers.x-a: must have either env or file",
    ],
    [
      "{ x-a: { value: geheim } }",
      "headers.x-a: must be { env: NAME } or { file: PATH }; this file must not contain secrets",
    ],
  ])("are rejected: %s", (headers, error) => {
    expect(errors(`${URL_ENTRY}, headers: ${headers}`)).toEqual([error]);
  });

  it.each([
    [
      "a value of 4097 bytes",
      `{ x-a: ${"x".repeat(4097)} }`,
      `headers.x-a: ${CHARACTERS}`,
    ],
    [
      "33 headers",
      `{ ${Array.from({ length: 33 }, (_, i) => `x-${i}: a`).join(", ")} }`,
      "headers: must have at most 32 headers and 8192 bytes in total",
    ],
    [
      "more than 8192 bytes in total",
      `{ x-a: ${"a".repeat(4096)}, x-b: ${"a".repeat(4096)} }`,
      "headers: must have at most 32 headers and 8192 bytes in total",
    ],
  ])("are rejected with %s", (_what, headers, error) => {
    expect(errors(`${URL_ENTRY}, headers: ${headers}`)).toEqual([error]);
  });

  it.each([
    [
      "two\nlines",
      "contains a newline, another control character or bytes that are not UTF-8; remove them",
    ],
    [`Bearer ${"\u00e4".repeat(20)}`, CHARACTERS],
    ["Bearer changeme", "is a placeholder; replace it with the real value"],
  ])("are rejected with the secret %j", (secret, error) => {
    const headers = "headers: { authorization: { env: AUTH } }";
    expect(errors(`${URL_ENTRY}, ${headers}`, { AUTH: secret })).toEqual([
      `headers.authorization: AUTH ${error}`,
    ]);
  });

  it("may not contain a signing secret of a source", () => {
    for (const value of [SECRET, `Bearer ${SECRET}`]) {
      expect(
        errors(`${URL_ENTRY}, headers: { authorization: { env: AUTH } }`, {
          AUTH: value,
        }),
      ).toEqual([
        "headers.authorization: is also a signing secret of source hex; use separate secrets",
      ]);
    }
  });
});
