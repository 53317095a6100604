import { beforeEach, describe, expect, it } from "@jest/globals";
import {
  type Environment,
  loadConfig,
  loadSources,
} from "../../../src/config/load-config.ts";
import { keyIdOf } from "../../../src/domain/key-id.ts";
import { ConfigError } from "../../../src/errors.ts";
import { schemeOf } from "../../../src/signature/schemes.ts";
import { configFiles, WHERE } from "../../support/config-file.ts";
import { OTHER_SECRET, SECRET } from "../../support/fixtures.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const NOT_HERE = "this file must not contain secrets";
const REFERENCE = `must be { env: NAME } or { file: PATH }; ${NOT_HERE}`;
const DATED_REFERENCE = `must be { env: NAME } or { file: PATH }, optionally with createdAt and expiresAt; ${NOT_HERE}`;
const THIRD_SECRET = "a-third-signing-secret-0123456789abcd";

let folder: ReturnType<typeof temporaryFolder>;

beforeEach(() => {
  folder = temporaryFolder();
});

const { configFile, secretFile, withFile, fileErrors } = configFiles(
  () => folder.path,
);

describe("the configuration file", () => {
  it("returns frozen destinations in file order, with defaults", () => {
    const { destinations, handlers, sources, warnings } = withFile(
      `
destinations:
  "2": { url: "https://Billing.internal", events: [ "invoice.*", "ping" ], secret: { env: BILLING_SECRET }, concurrency: 1, orderBy: /data/customer, allowPrivate: false }
  "1": { url: "http://127.0.0.1:8080/x" }
  ci: { handler: "ci.*", concurrency: 1000, orderBy: "/a~1b/~0" }
  constructor: { handler: "*" }
`,
      { BILLING_SECRET: OTHER_SECRET },
    );
    expect(destinations).toEqual([
      {
        kind: "http",
        name: "2",
        sources: ["hex"],
        events: ["invoice.*", "ping"],
        orderBy: "/data/customer",
        url: "https://billing.internal/",
        secret: OTHER_SECRET,
        concurrency: 1,
        allowPrivate: false,
      },
      {
        kind: "http",
        name: "1",
        sources: ["hex"],
        events: ["*"],
        orderBy: null,
        url: "http://127.0.0.1:8080/x",
        secret: null,
        concurrency: 8,
        allowPrivate: true,
      },
      {
        kind: "handler",
        name: "ci",
        sources: ["hex"],
        events: ["*"],
        orderBy: "/a~1b/~0",
        handler: "ci.*",
        concurrency: 1000,
      },
      {
        kind: "handler",
        name: "constructor",
        sources: ["hex"],
        events: ["*"],
        orderBy: null,
        handler: "*",
        concurrency: 64,
      },
    ]);
    expect(handlers).toEqual({ file: null, sources: ["hex"] });
    expect(sources[0]).toMatchObject({
      scheme: { name: "hex" },
      onReplay: "reject",
    });
    expect(warnings).toEqual([]);
    for (const part of [
      destinations,
      handlers,
      ...destinations,
      ...destinations.map(({ events }) => events),
    ]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });

  it.each([
    ["an empty map", "{}"],
    ["a map without entries", "destinations: {}"],
    ["a source without keys", "sources: { hex: {} }"],
    ["a byte order mark and Windows newlines", "\ufeffdestinations: {}\r\n"],
    ["a standard tag", "destinations: !!map {}"],
  ])("changes nothing when it is %s", (_what, content) => {
    const { settings } = withFile(content);
    expect({ ...withFile(content), settings }).toEqual({
      ...loadConfig({ HEX_SECRET: SECRET }),
      settings,
    });
  });

  it("configures the source without variables", () => {
    const { sources, warnings } = withFile(
      `
sources:
  hex:
    scheme: hex-body
    onReplay: acknowledge
    secrets:
      - { env: HEX_NEXT, createdAt: 2026-11-01 }
      - { file: ${JSON.stringify(secretFile(`${OTHER_SECRET}\n`))}, createdAt: 2026-10-01, expiresAt: 2026-12-01T12:00:00Z }
`,
      { HEX_SECRET: undefined, HEX_NEXT: THIRD_SECRET },
    );
    expect(sources).toEqual([
      {
        name: "hex",
        scheme: schemeOf("hex-body"),
        onReplay: "acknowledge",
        replayWindowSeconds: 300,
        publicUrl: null,
        allowFrom: null,
        maxBodyBytes: 1_048_576,
        mediaTypes: null,
        isDisabled: false,
        verifyToken: null,
        sharesSecretWith: [],
        secrets: [
          {
            name: "secrets[0]",
            keyId: keyIdOf(THIRD_SECRET),
            text: THIRD_SECRET,
            algorithm: "hmac-sha256",
            key: Buffer.from(THIRD_SECRET),
            publicKey: null,
            createdAt: Date.UTC(2026, 10, 1),
            expiresAt: null,
          },
          {
            name: "secrets[1]",
            createdAt: Date.UTC(2026, 9, 1),
            keyId: keyIdOf(OTHER_SECRET),
            text: OTHER_SECRET,
            algorithm: "hmac-sha256",
            key: Buffer.from(OTHER_SECRET),
            publicKey: null,
            expiresAt: Date.UTC(2026, 11, 1, 12),
          },
        ],
      },
    ]);
    expect(warnings).toEqual([]);
  });

  it("falls back to the variables for settings it leaves out", () => {
    const { sources } = withFile(
      "sources: { hex: { onReplay: acknowledge } }",
      {
        HEX_SECRET_PREVIOUS: OTHER_SECRET,
        HEX_SIGNATURE_SCHEME: "hex-body",
      },
    );
    expect(sources).toMatchObject([
      {
        scheme: { name: "hex-body" },
        onReplay: "acknowledge",
        secrets: [
          { keyId: keyIdOf(SECRET) },
          { keyId: keyIdOf(OTHER_SECRET), expiresAt: null },
        ],
      },
    ]);
  });

  it("is used by sign and verify, even with invalid destinations", () => {
    const HEXHOOK_CONFIG = configFile(`
sources: { hex: { scheme: hex-body, secrets: [ { env: HEX_NEXT } ], destinations: [ a ] } }
destinations: { a: { url: "http://a/", secret: { env: NOT_ON_THIS_MACHINE } } }
`);
    expect(
      loadSources({ HEXHOOK_CONFIG, HEX_NEXT: THIRD_SECRET }),
    ).toMatchObject([
      {
        scheme: { name: "hex-body" },
        secrets: [{ keyId: keyIdOf(THIRD_SECRET) }],
      },
    ]);
    expect(() => loadSources({ HEXHOOK_CONFIG })).toThrow(
      new ConfigError([
        `${WHERE}sources.hex.secrets[0]: HEX_NEXT is not set; set it, or set HEX_NEXT_FILE to the path of a file`,
      ]),
    );
  });

  describe("routes events", () => {
    const destinations =
      'destinations: { a: { url: "http://a/" }, b: { handler: "*" } }';

    it.each<[string, string, Environment, object]>([
      [
        "to all destinations without a sources map",
        destinations,
        {},
        { a: ["hex"], b: ["hex"], handlers: ["hex"] },
      ],
      [
        "to all destinations when the source has no list",
        `sources: { hex: {} }\n${destinations}`,
        {},
        { a: ["hex"], b: ["hex"], handlers: ["hex"] },
      ],
      [
        "only to the listed destinations",
        `sources: { hex: { destinations: [ b ] } }\n${destinations}`,
        {},
        { a: [], b: ["hex"], handlers: [] },
      ],
      [
        "to no destination when the list is empty",
        `sources: { hex: { destinations: [] } }\n${destinations}`,
        {},
        { a: [], b: [], handlers: [] },
      ],
      [
        "to the listed destinations and to HANDLERS, but not to FORWARD_URL",
        `sources: { hex: { destinations: [ a ] } }\n${destinations}`,
        { HANDLERS: "h.mjs", FORWARD_URL: "http://f/" },
        { a: ["hex"], b: [], forward: [], handlers: ["hex"] },
      ],
    ])("%s", (_what, content, env, expected) => {
      const config = withFile(content, env);
      expect({
        ...Object.fromEntries(
          config.destinations.map(({ name, sources }) => [name, sources]),
        ),
        handlers: config.handlers.sources,
      }).toEqual(expected);
      expect(config.warnings).toEqual(
        config.destinations
          .filter(({ sources }) => sources.length === 0)
          .map(({ name }) =>
            name === "forward"
              ? "FORWARD_URL: nothing is delivered to it, because every source has a destinations list"
              : `${WHERE}destinations.${name}: is not listed by any source, so nothing is delivered to it`,
          ),
      );
    });
  });

  it("warns about variables that it overrides, not about those it refers to", () => {
    const { warnings } = withFile(
      `
sources: { hex: { scheme: hex, secrets: [ { env: HEX_NEXT }, { env: HEX_SECRET_PREVIOUS } ] } }
destinations: { a: { url: "http://a/", secret: { env: HEXHOOK_A_SECRET } } }
`,
      {
        // An invalid value that is not read, because the file has its own secrets.
        HEX_SECRET: "changeme",
        HEX_SECRET_PREVIOUS: OTHER_SECRET,
        HEX_SECRET_PREVIOUS_EXPIRES_AT: "someday",
        HEX_SIGNATURE_SCHEME: "hex-body",
        HEX_NEXT_FILE: secretFile(THIRD_SECRET),
        HEXHOOK_A_SECRET: "outbound-0123456789abcdef",
        HEX_SERCET: "x",
      },
    );
    const without =
      "is ignored because HEXHOOK_CONFIG lists the secrets of hex and their dates";
    expect(warnings).toEqual([
      `HEX_SECRET: ${without}`,
      `HEX_SECRET_PREVIOUS_EXPIRES_AT: ${without}`,
      "HEX_SIGNATURE_SCHEME: is ignored because HEXHOOK_CONFIG sets another scheme",
      `${WHERE}sources.hex.secrets[1]: is accepted indefinitely; set expiresAt`,
      "HEX_SERCET: is ignored because it is not a known variable; check the spelling",
    ]);
  });

  it("reads a referenced secret from NAME_FILE too", () => {
    const { destinations } = withFile(
      'destinations: { a: { url: "http://a/", secret: { env: A_SECRET } } }',
      { A_SECRET_FILE: secretFile("from-a-file-0123456789abcdef\n") },
    );
    expect(destinations).toMatchObject([
      { secret: "from-a-file-0123456789abcdef" },
    ]);
  });

  it("may use a few aliases", () => {
    const { destinations } = withFile(
      'destinations: { a: { url: "http://a/", events: &e [ "a.*" ] }, b: { handler: "*", events: *e } }',
    );
    expect(destinations.map(({ events }) => events)).toEqual([
      ["a.*"],
      ["a.*"],
    ]);
  });
});

describe("a secret reference in the configuration file", () => {
  const VARIABLE = `must be a variable name in capitals, such as BILLING_SECRET; ${NOT_HERE}`;
  /** No error may repeat this value, wherever it appears. */
  const LITERAL = "geheim-geheim-geheim-0123456789abcdef";

  const destination = (reference: string): string =>
    `destinations: { a: { url: "http://a/", secret: ${reference} } }`;
  const source = (...references: string[]): string =>
    `sources: { hex: { secrets: [ ${references.join(", ")} ] } }`;

  it.each([
    [LITERAL, "", REFERENCE],
    [`whsec_${LITERAL}`, "", REFERENCE],
    ["5", "", REFERENCE],
    ["~", "", REFERENCE],
    ["", "", REFERENCE],
    [`[ ${LITERAL} ]`, "", REFERENCE],
    [`{ ${LITERAL} }`, "", REFERENCE],
    [`{ env: A, ${LITERAL}: x }`, "", REFERENCE],
    [`{ value: ${LITERAL} }`, "", REFERENCE],
    ["{ __proto__: { env: A } }", "", REFERENCE],
    ["{}", "", "must have either env or file"],
    ["{ env: A, file: b }", "", "must have either env or file"],
    [`{ env: ${LITERAL} }`, ".env", VARIABLE],
    ["{ env: lower_case }", ".env", VARIABLE],
    ["{ env: __proto__ }", ".env", VARIABLE],
    ["{ env: constructor }", ".env", VARIABLE],
    ["{ env: '' }", ".env", VARIABLE],
    ["{ env: 5 }", ".env", VARIABLE],
    ["{ env: ~ }", ".env", VARIABLE],
    ["{ env: { a: b } }", ".env", VARIABLE],
    [
      "{ env: A_SECRET_FILE }",
      ".env",
      "must be the name without _FILE; the variable with _FILE is read too",
    ],
    [
      "{ env: NOT_SET }",
      "",
      "NOT_SET is not set; set it, or set NOT_SET_FILE to the path of a file",
    ],
    [
      "{ env: SECRET }",
      "",
      "SECRET is not set; set it, or set SECRET_FILE to the path of a file",
    ],
    [
      "{ env: EMPTY_ONE }",
      "",
      "EMPTY_ONE is not set; set it, or set EMPTY_ONE_FILE to the path of a file",
    ],
    // The name could be a key in base32, so it is not repeated.
    [
      "{ env: GEHEIM7GEHEIM2GEHEIM }",
      "",
      "the variable that env names is not set; set it, or set its name with _FILE to the path of a file",
    ],
    [
      "{ env: BOTH }",
      "",
      "BOTH cannot be set together with BOTH_FILE; remove one of them",
    ],
    [
      "{ env: LOST }",
      "",
      "LOST_FILE names a file that cannot be read (ENOENT)",
    ],
    [
      "{ env: PLACEHOLDER }",
      "",
      "PLACEHOLDER is a placeholder; replace it with the real value",
    ],
    [
      `{ file: ${LITERAL} }`,
      ".file",
      "names a file that cannot be read (ENOENT)",
    ],
    ["{ file: / }", ".file", "names a file that is not a regular file"],
    ["{ file: '' }", ".file", "must be the path of a file"],
    ["{ file: 5 }", ".file", "must be the path of a file"],
    ["{ file: ~ }", ".file", "must be the path of a file"],
  ])(
    "written as %s is rejected at its place%s: %s",
    (reference, below, error) => {
      const env = {
        EMPTY_ONE: "",
        BOTH: LITERAL,
        BOTH_FILE: "/geheim",
        LOST_FILE: "/geheim/geheim",
        PLACEHOLDER: "changeme",
      };
      const errors = fileErrors(destination(reference), env);
      expect(errors).toEqual([`destinations.a.secret${below}: ${error}`]);
      expect(errors.join("")).not.toMatch(/geheim/i);
      const listed = reference === "" ? "''" : reference;
      expect(fileErrors(source(listed), env)).toEqual([
        `sources.hex.secrets[0]${below}: ${error === REFERENCE ? DATED_REFERENCE : error}`,
      ]);
    },
  );

  it("may have dates only in a source", () => {
    expect(
      fileErrors(destination("{ env: HEX_SECRET, expiresAt: 2026-12-01 }")),
    ).toEqual([`destinations.a.secret: ${REFERENCE}`]);
  });

  it("must refer to a secret that is valid at its place", () => {
    const env = { SHORT_ONE: "short", BROKEN_ONE: "whsec_***" };
    for (const [place, text] of [
      ["destinations.a.secret", destination("{ env: SHORT_ONE }")],
      ["sources.hex.secrets[0]", source("{ env: SHORT_ONE }")],
    ] as const) {
      expect(fileErrors(text, env)).toEqual([
        `${place}: SHORT_ONE is shorter than 24 bytes; make one with \`hexhook secrets generate\``,
      ]);
    }
    expect(fileErrors(destination("{ env: BROKEN_ONE }"), env)).toEqual([
      "destinations.a.secret: BROKEN_ONE must be base64 after whsec_",
    ]);
    const file = JSON.stringify(secretFile("short"));
    expect(fileErrors(source(`{ file: ${file} }`))).toEqual([
      "sources.hex.secrets[0].file: is shorter than 24 bytes; make one with `hexhook secrets generate`",
    ]);
  });

  it.each([LITERAL, `{ env: ${LITERAL} }`, "HEX_SECRET", "~", ""])(
    "must be in a list, not %j",
    (value) => {
      expect(fileErrors(`sources: { hex: { secrets: ${value} } }`)).toEqual([
        `sources.hex.secrets: must be a list of { env: NAME } or { file: PATH }; ${NOT_HERE}`,
      ]);
    },
  );

  const DATE = "must be an ISO date such as 2026-11-30 or 2026-11-30T18:00:00Z";

  it.each([
    ["createdAt: tomorrow", `createdAt: ${DATE}`],
    ["createdAt: 5", `createdAt: ${DATE}`],
    ["expiresAt: ~", `expiresAt: ${DATE}`],
    ["expiresAt: 2026-13-01", `expiresAt: ${DATE}`],
    [
      "createdAt: 2026-12-01, expiresAt: 2026-12-01",
      "expiresAt: must be later than createdAt",
    ],
  ])("is rejected with %s", (dates, error) => {
    expect(
      fileErrors(source("{ env: HEX_SECRET }", `{ env: HEX_OLD, ${dates} }`), {
        HEX_OLD: OTHER_SECRET,
      }),
    ).toEqual([`sources.hex.secrets[1].${error}`]);
  });

  it("may not expire when it is the current one", () => {
    expect(
      fileErrors(source("{ env: HEX_SECRET, expiresAt: 2026-12-01 }")),
    ).toEqual([
      "sources.hex.secrets[0].expiresAt: is not allowed on the first secret, which is the current one; put the new secret before it",
    ]);
  });

  it("must be unique, and must not be the secret of a destination", () => {
    const encoded = Buffer.from(OTHER_SECRET).toString("base64");
    const repeated = "use a new secret";
    const shared =
      "is also a signing secret of source hex; use separate secrets";
    expect(
      fileErrors(
        `
${source("{ env: HEX_SECRET }", "{ env: HEX_OLD }", "{ env: HEX_AGAIN }", "{ env: HEX_OLD }")}
destinations:
  a: { url: "http://a/", secret: { env: HEX_SECRET } }
  b: { url: "http://b/", secret: { env: ENCODED } }
  c: { url: "http://c/", secret: { env: OWN } }
  d: { url: "http://d/", secret: { env: OWN } }
`,
        {
          HEX_OLD: OTHER_SECRET,
          HEX_AGAIN: SECRET,
          ENCODED: `whsec_${encoded}`,
          OWN: THIRD_SECRET,
        },
      ),
    ).toEqual([
      `sources.hex.secrets[2]: is the same as secrets[0]; ${repeated}`,
      `sources.hex.secrets[3]: is the same as secrets[1]; ${repeated}`,
      `destinations.a.secret: ${shared}`,
      `destinations.b.secret: ${shared}`,
    ]);
  });
});
