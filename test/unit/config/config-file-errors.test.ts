import { beforeEach, describe, expect, it } from "@jest/globals";
import path from "node:path";
import { SCHEME_NAMES } from "../../../src/signature/schemes.ts";
import { configFiles, errorsOf, WHERE } from "../../support/config-file.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

let folder: ReturnType<typeof temporaryFolder>;

beforeEach(() => {
  folder = temporaryFolder();
});

const { configFile, withFile, fileErrors } = configFiles(() => folder.path);

describe("an unusable configuration file", () => {
  const EMPTY =
    "names an empty file; add sources or destinations to it, or unset HEXHOOK_CONFIG";

  it.each<[string, () => string, string]>([
    [
      "is missing",
      () => path.join(folder.path, "none"),
      "names a file that cannot be read (ENOENT)",
    ],
    [
      "is a directory",
      () => folder.path,
      "names a file that is not a regular file",
    ],
    [
      "is huge",
      () => configFile("#".repeat(1_048_577)),
      "names a file that is too large (maximum: 1048576 bytes)",
    ],
    [
      "is not UTF-8",
      () => configFile(Buffer.from([0x61, 0xff])),
      "names a file that is not UTF-8 text; save it as UTF-8",
    ],
    ["is empty", () => configFile(""), EMPTY],
    ["has only comments", () => configFile("# nothing\n---\n"), EMPTY],
    ["is null", () => configFile("~"), EMPTY],
  ])("gives one error when it %s", (_what, file, error) => {
    // Without HEX_SECRET: the file may hold the secret, so it is not reported as missing while the file cannot be read.
    expect(errorsOf({ HEXHOOK_CONFIG: file() })).toEqual([`${WHERE}${error}`]);
  });

  const ONE_OF_EACH = Array.from({ length: 9 }, (_, i) => `k${i}`);

  it.each<[string, string, string[]]>([
    [
      "a duplicate key",
      "destinations:\n  a: { handler: x }\n  a: { handler: geheim }",
      ["line 3, column 3: this key is a duplicate; remove it"],
    ],
    [
      "a duplicate key __proto__",
      "__proto__: {}\n__proto__: {}",
      ["line 2, column 1: this key is a duplicate; remove it"],
    ],
    [
      "a duplicate key in quotes",
      "destinations: {}\n'destinations': {}",
      ["line 2, column 1: this key is a duplicate; remove it"],
    ],
    [
      "two documents",
      "{}\n---\n{}",
      ["line 2, column 1: a second document starts here; keep only one"],
    ],
    [
      "custom tags",
      "sources: !geheim {}\ndestinations: !!set {}",
      [
        "line 1, column 10: tags are not supported; remove this one",
        "line 2, column 15: tags are not supported; remove this one",
      ],
    ],
    [
      "another version of YAML",
      "# no\n%YAML 1.1\n---\nsources: {}",
      ["line 2, column 1: only YAML 1.2 is supported; remove this line"],
    ],
    [
      "a key that is not a string",
      "[geheim]: 1",
      ["line 1, column 1: a key must be a string"],
    ],
    [
      "an unclosed quote",
      "a:\n  'geheim",
      ["line 2, column 10: a quote, bracket, comma or space is missing"],
    ],
    [
      "two colons",
      "a: geheim: x",
      [
        "line 1, column 4: this line has a second colon; put the value in quotes",
      ],
    ],
    [
      "tabs",
      "a:\n\tb: 1",
      ["line 2, column 1: this line is indented with a tab; use spaces"],
    ],
    [
      "an unknown escape sequence",
      'a: "\\q geheim"',
      [
        "line 1, column 5: this escape sequence is not valid in double quotes; use single quotes",
      ],
    ],
    [
      "an alias without an anchor",
      "destinations: *geheim",
      ["line 1, column 15: this alias has no anchor before it"],
    ],
    [
      "too many aliases",
      `a: &e 1\nb: [${Array(101).fill("*e").join(", ")}]`,
      [
        "line 2, column 405: more than 100 aliases; write the values themselves",
      ],
    ],
    [
      "nested aliases that expand to a billion values",
      ONE_OF_EACH.map((key, i) =>
        i === 0
          ? `${key}: &${key} [x, x, x, x, x, x, x, x, x]`
          : `${key}: &${key} [${Array(9)
              .fill(`*k${i - 1}`)
              .join(", ")}]`,
      ).join("\n"),
      ["aliases expand to too many values; write the values themselves"],
    ],
    [
      "a string instead of a map",
      "geheim",
      ["must be a map (keys: sources, destinations)"],
    ],
    [
      "a list instead of a map",
      "- geheim",
      ["must be a map (keys: sources, destinations)"],
    ],
    [
      "merge keys",
      "<<: { sources: {} }",
      ['"<<": is not a known key; the known keys are sources, destinations'],
    ],
    [
      "keys with line breaks and escape sequences",
      `"a\\nb\\u2028\\e[31m": 1\n? ${"x".repeat(80)}\n: 1`,
      [
        '"a\\nb\\u2028\\u001b[31m": is not a known key; the known keys are sources, destinations',
        `"${"x".repeat(64)}…": is not a known key; the known keys are sources, destinations`,
      ],
    ],
  ])("is rejected with %s", (_what, content, errors) => {
    expect(fileErrors(content)).toEqual(errors);
  });

  it.each([
    ["deep lists", "[".repeat(200_000)],
    ["deep maps", "{ a: ".repeat(100_000)],
    ["deep lists of dashes", "- ".repeat(200_000)],
    ["only quotes", "'".repeat(100_001)],
  ])("gives a few errors with %s", (_what, content) => {
    const errors = fileErrors(content);
    expect(errors.length).toBeGreaterThan(0);
    expect(errors.length).toBeLessThan(22);
  });

  it("names the place where it is nested too deeply", () => {
    expect(fileErrors(`\na: ${"[".repeat(65)}`)).toEqual([
      "line 2, column 68: brackets or lists are nested too deeply",
    ]);
    const shallow = `a: ${"[".repeat(64)}${"]".repeat(64)}`;
    expect(fileErrors(shallow).join()).not.toContain("deeply");
  });

  it.each([
    ["keys", Array.from({ length: 100_000 }, (_, i) => `k${i}:`).join("\n")],
    ["values", `destinations: { a: { events: [${"1,".repeat(50_000)}] } }`],
  ])("gives one error with too many %s", (_what, content) => {
    expect(fileErrors(content)).toEqual([
      expect.stringMatching(
        /^line \d+, column \d+: more than 20000 keys and values; /,
      ),
    ]);
  });
});

describe("the configuration file", () => {
  const KEYS =
    "known keys are url, handler, events, concurrency, orderBy, retrySchedule, timeout, rateLimit, maxAge, secret, headers, allowPrivate";
  const KNOWN = `is not a known key; the ${KEYS}`;
  const MAP =
    "must be a map (keys: url, handler, events, concurrency, orderBy, retrySchedule, timeout, rateLimit, maxAge, secret, headers, allowPrivate)";
  const NAME =
    "is not a valid name; use 1 to 64 of a-z, 0-9 and -, and do not start with -";
  const URL_ERROR =
    "must be an http:// or https:// URL without a user name or password";
  const PATTERN = "must be an event type, prefix.* or *";
  const CONCURRENCY = "must be a whole number from 1 to 1000";
  const POINTER =
    "must be a JSON pointer such as /data/customer; inside a name, write ~ as ~0 and / as ~1";
  const HANDLER =
    "must be a key of the handlers module: an event type, prefix.* or *";

  it.each<[string, string, string]>([
    ["a", "5", `a: ${MAP}`],
    ["a", "", `a: ${MAP}`],
    ["a", "[ x ]", `a: ${MAP}`],
    ["a", "geheim", `a: ${MAP}`],
    ["a", "{}", "a.url: is missing; a destination needs url or handler"],
    [
      "a",
      "{ url: 'http://a/', handler: x }",
      "a.handler: cannot be used together with url; remove one of them",
    ],
    [
      "a",
      "{ url: 'http://a/', sekret: geheim }",
      `a.sekret: is not a known key; did you mean secret? The ${KEYS}`,
    ],
    ["a", "{ url: 'http://a/', __proto__: {} }", `a.__proto__: ${KNOWN}`],
    ["a", "{ url: 'http://a/', constructor: {} }", `a.constructor: ${KNOWN}`],
    ...["ftp://a/", "geheim", "http://u:geheim@a/", "//a", ""].map(
      (url): [string, string, string] => [
        "a",
        `{ url: '${url}' }`,
        `a.url: ${URL_ERROR}`,
      ],
    ),
    ...["5", "~", "{ a: b }", "[ 'http://a/' ]"].map(
      (url): [string, string, string] => [
        "a",
        `{ url: ${url} }`,
        `a.url: ${URL_ERROR}`,
      ],
    ),
    ...["5", "~", "''", "'a*b'", "{}"].map(
      (handler): [string, string, string] => [
        "a",
        `{ handler: ${handler} }`,
        `a.handler: ${HANDLER}`,
      ],
    ),
    [
      "a",
      "{ handler: x, secret: { env: A } }",
      "a.secret: applies only to a destination with url; remove it",
    ],
    [
      "a",
      "{ handler: x, allowPrivate: true }",
      "a.allowPrivate: applies only to a destination with url; remove it",
    ],
    ...["0", "1001", "1.5", "'8'", "~", "true", ".inf", ".nan", "[ 8 ]"].map(
      (concurrency): [string, string, string] => [
        "a",
        `{ handler: x, concurrency: ${concurrency} }`,
        `a.concurrency: ${CONCURRENCY}`,
      ],
    ),
    ...["''", "a", "/a~", "/a~2", "'#/a'", "5", "~", "[ /a ]"].map(
      (orderBy): [string, string, string] => [
        "a",
        `{ handler: x, orderBy: ${orderBy} }`,
        `a.orderBy: ${POINTER}`,
      ],
    ),
    ...["'true'", "yes", "1", "~"].map((value): [string, string, string] => [
      "a",
      `{ url: 'http://a/', allowPrivate: ${value} }`,
      "a.allowPrivate: must be true or false",
    ]),
    ["a", "{ handler: x, events: [] }", "a.events: must not be empty"],
    ...["'*'", "~", "{ a: b }", "5"].map((events): [string, string, string] => [
      "a",
      `{ handler: x, events: ${events} }`,
      "a.events: must be a list of event types",
    ]),
    ...["''", "'**'", "'*.a'", "'a*'", "5", "~", "[ a ]"].map(
      (event): [string, string, string] => [
        "a",
        `{ handler: x, events: [ ok, ${event} ] }`,
        `a.events[1]: ${PATTERN}`,
      ],
    ),
    [
      "a",
      "{ handler: x, events: [ a, b, a ] }",
      "a.events[2]: is a duplicate; remove it",
    ],
    ["a", "{ handler: x, events: &e [ *e ] }", `a.events[0]: ${PATTERN}`],
    ["A", "{ handler: x }", `A: ${NAME}`],
    ["-a", "{ handler: x }", `-a: ${NAME}`],
    ["a_b", "{ handler: x }", `a_b: ${NAME}`],
    ["a.b", "{ handler: x }", `"a.b": ${NAME}`],
    ["''", "{ handler: x }", `"": ${NAME}`],
    ["'handler:*'", "{ handler: x }", `"handler:*": ${NAME}`],
    ["__proto__", "{ handler: x }", `__proto__: ${NAME}`],
    ["ä", "{ handler: x }", `"\\u00e4": ${NAME}`],
    ["a".repeat(65), "{ handler: x }", `"${"a".repeat(64)}…": ${NAME}`],
  ])("reports destinations: { %s: %s } as %s", (name, value, error) => {
    expect(fileErrors(`destinations: { ${name}: ${value} }`)).toEqual([
      `destinations.${error}`,
    ]);
  });

  it.each([
    ["destinations:", "destinations: must be a map from names to settings"],
    [
      "destinations: [ a ]",
      "destinations: must be a map from names to settings",
    ],
    ["sources: hex", "sources: must be a map from names to settings"],
    ["sources: ~", "sources: must be a map from names to settings"],
    [
      "destination: {}",
      "destination: is not a known key; did you mean destinations? The known keys are sources, destinations",
    ],
    [
      "extra: {}",
      "extra: is not a known key; the known keys are sources, destinations",
    ],
    [
      "sources: {}",
      "sources: must not be empty; list a source, or remove sources to use HEX_SECRET",
    ],
  ])("reports %s as %s", (content, error) => {
    expect(fileErrors(content)).toEqual([error]);
  });

  const LIST = "must be the name of a destination in this file";
  const SOURCE_KEYS =
    "scheme, secrets, onReplay, destinations, publicUrl, allowFrom, maxBodyBytes, mediaTypes, disabled, replayWindow";
  /** While the scheme is unknown. */
  const ALL_SOURCE_KEYS = `${SOURCE_KEYS}, handshake, custom, token`;
  const UNKNOWN_SCHEME = `is not a known scheme; the schemes are ${SCHEME_NAMES.join(", ")}`;

  it.each([
    ["5", `hex: must be a map (keys: ${ALL_SOURCE_KEYS})`],
    ["", `hex: must be a map (keys: ${ALL_SOURCE_KEYS})`],
    [
      "{ secret: { env: A } }",
      `hex.secret: is not a known key; did you mean secrets? The known keys are ${SOURCE_KEYS}`,
    ],
    ["{ scheme: 1.5 }", `hex.scheme: ${UNKNOWN_SCHEME}`],
    ["{ scheme: __proto__ }", `hex.scheme: ${UNKNOWN_SCHEME}`],
    ["{ scheme: ~ }", `hex.scheme: ${UNKNOWN_SCHEME}`],
    ["{ onReplay: 200 }", "hex.onReplay: must be one of reject, acknowledge"],
    [
      "{ destinations: a }",
      "hex.destinations: must be a list of destination names",
    ],
    ["{ destinations: [ b ] }", `hex.destinations[0]: ${LIST} (a, 1)`],
    ["{ destinations: [ 1 ] }", `hex.destinations[0]: ${LIST} (a, 1)`],
    ["{ destinations: [ ~ ] }", `hex.destinations[0]: ${LIST} (a, 1)`],
    [
      "{ destinations: [ constructor ] }",
      `hex.destinations[0]: ${LIST} (a, 1)`,
    ],
    [
      "{ destinations: [ a, '1', a ] }",
      "hex.destinations[2]: is a duplicate; remove it",
    ],
    ["{ secrets: [] }", "hex.secrets: must not be empty"],
  ])("reports sources: { hex: %s } as %s", (value, error) => {
    expect(
      fileErrors(
        `sources: { hex: ${value} }\ndestinations: { a: { handler: x }, 1: { handler: x } }`,
      ),
    ).toEqual([`sources.${error}`]);
  });

  it("lists up to ten known destinations, or says that there are none", () => {
    const names = Array.from({ length: 11 }, (_, i) => `d${i}`);
    const list = "sources: { hex: { destinations: [ x ] } }\n";
    expect(fileErrors(list)).toEqual([
      `sources.hex.destinations[0]: ${LIST} (there are none)`,
    ]);
    const entries = names.map((name) => `${name}: { handler: x }`).join(", ");
    expect(fileErrors(`${list}destinations: { ${entries} }`)).toEqual([
      `sources.hex.destinations[0]: ${LIST} (${names.slice(0, 10).join(", ")}, …)`,
    ]);
  });

  it("may have a destination named forward unless FORWARD_URL is set", () => {
    const content = "destinations: { forward: { handler: x } }";
    expect(withFile(content).destinations).toHaveLength(1);
    expect(fileErrors(content, { FORWARD_URL: "http://a/" })).toEqual([
      "destinations.forward: is the name of the destination that FORWARD_URL creates; rename this one, or unset FORWARD_URL",
    ]);
  });

  it("reports all its errors, and those of variables", () => {
    expect(
      errorsOf({
        HEXHOOK_CONFIG: configFile(`
sources: { hex: { scheme: auto, destinations: [ b ] }, stripe: {} }
destinations:
  a: { url: x, events: [ '', a, a ], concurrency: 0, secret: { env: A_SECRET } }
  B: { handler: 5, secret: x }
extra: 1
`),
        PORT: "x",
        ADMIN_TOKEN: "changeme",
      }),
    ).toEqual([
      "PORT: must be a whole number from 0 to 65535",
      "ADMIN_TOKEN: is a placeholder; replace it with the real value",
      `${WHERE}extra: is not a known key; the known keys are sources, destinations`,
      `${WHERE}sources.hex.scheme: ${UNKNOWN_SCHEME}`,
      `${WHERE}sources.hex.destinations[0]: ${LIST} (a)`,
      "HEX_SECRET: is not set; make one with `hexhook secrets generate`, then set it in .env or the environment, or name its file in HEX_SECRET_FILE",
      `${WHERE}sources.stripe.scheme: is missing; add it, such as scheme: stripe`,
      `${WHERE}sources.stripe.secrets: is missing; add a list such as [{ env: NAME }]`,
      `${WHERE}destinations.a.url: ${URL_ERROR}`,
      `${WHERE}destinations.a.events[0]: ${PATTERN}`,
      `${WHERE}destinations.a.events[2]: is a duplicate; remove it`,
      `${WHERE}destinations.a.concurrency: ${CONCURRENCY}`,
      `${WHERE}destinations.a.secret: A_SECRET is not set; set it, or set A_SECRET_FILE to the path of a file`,
      `${WHERE}destinations.B: ${NAME}`,
      `${WHERE}destinations.B.handler: ${HANDLER}`,
      `${WHERE}destinations.B.secret: applies only to a destination with url; remove it`,
    ]);
  });
});
