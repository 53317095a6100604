import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { inProject } from "../../support/project.ts";
import {
  type Config,
  type Environment,
  loadConfig,
  loadSources,
  mergeEnvironments,
  readVariables,
} from "../../../src/config/load-config.ts";
import { keyIdOf } from "../../../src/domain/key-id.ts";
import { ConfigError } from "../../../src/errors.ts";
import { OTHER_SECRET, SECRET } from "../../support/fixtures.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

let folder: ReturnType<typeof temporaryFolder>;

beforeEach(() => {
  folder = temporaryFolder();
});

afterEach(() => {});

function faultsOf(env: Environment): readonly string[] {
  try {
    loadConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) {
      return error.faults;
    }
    throw error;
  }
  return [];
}

function secretFile(content: string | Buffer): string {
  const file = path.join(folder.path, "secret");
  writeFileSync(file, content);
  return file;
}

describe("the configuration", () => {
  it("has its defaults, and is frozen", () => {
    const config = loadConfig({ HEX_SECRET: SECRET });
    expect(config).toMatchObject({
      host: "0.0.0.0",
      port: 3000,
      adminHost: "127.0.0.1",
      adminPort: 3001,
      databaseUrl: { driver: "sqlite", file: "data/hexhook.db" },
      replayWindowSeconds: 300,
      maxBodyBytes: 1_048_576,
      attemptTimeoutMs: 10_000,
      trustProxy: 0,
      auditStdout: "prefixed",
      auditFile: null,
      auditSigningKey: null,
      auditRetentionDays: 400,
      auditAnalytics: false,
      hexApi: {
        apiUrl: "https://api.hex.com/",
        environment: "development",
        granted: null,
        required: null,
        keys: [],
        readKey: null,
        writeKey: null,
      },
      logLevel: "info",
      keepAliveSeconds: 65,
      drainSeconds: 3,
      shutdownSeconds: 9,
      adminToken: null,
      eventRetentionDays: 30,
      destinations: [],
      handlers: { file: null, sources: ["hex"] },
      warnings: [],
    });
    expect(config.retryScheduleMs).toEqual([
      5000, 30_000, 120_000, 600_000, 1_800_000, 3_600_000, 10_800_000,
      21_600_000, 43_200_000,
    ]);
    expect(Object.isFrozen(config)).toBe(true);
    expect(config.sources[0]).toMatchObject({
      name: "hex",
      scheme: "hex",
      onReplay: "reject",
      secrets: [{ keyId: keyIdOf(SECRET), expiresAt: null }],
    });
    expect(config.sources[0]!.secrets[0]!.key.toString()).toBe(SECRET);
  });

  it.each<[string, Environment, number]>([
    ["DRAIN_SECONDS alone", { DRAIN_SECONDS: "30" }, 36],
    ["an empty SHUTDOWN_SECONDS", { SHUTDOWN_SECONDS: "" }, 9],
    ["SHUTDOWN_SECONDS alone", { SHUTDOWN_SECONDS: "20" }, 20],
    ["both", { DRAIN_SECONDS: "30", SHUTDOWN_SECONDS: "10" }, 10],
  ])(
    "takes six seconds more than draining for a stop unless told: %s",
    (_what, env, shutdownSeconds) => {
      expect(loadConfig({ HEX_SECRET: SECRET, ...env })).toMatchObject({
        shutdownSeconds,
      });
    },
  );

  it("tells every fault at once, naming the variable and never its value", () => {
    const faults = faultsOf({
      HEX_SECRET: "geheim",
      PORT: "geheim1",
      MAX_BODY_BYTES: "geheim2",
      FORWARD_URL: "geheim3",
      RETRY_SCHEDULE: "geheim4",
    });
    expect(faults.map((fault) => fault.split(":", 1)[0])).toEqual([
      "PORT",
      "MAX_BODY_BYTES",
      "FORWARD_URL",
      "RETRY_SCHEDULE",
      "HEX_SECRET",
    ]);
    expect(faults.join("\n")).not.toContain("geheim");
    expect(faults.every((fault) => !fault.includes("\n"))).toBe(true);
  });

  it.each([
    ["PORT", ["-1", "65536", "NaN", "3000.0", "3e3", " 3000", "0x10"]],
    ["MAX_BODY_BYTES", ["0", "-1", "1O24kb", "1kb", "26214401", "NaN"]],
    ["REPLAY_WINDOW_SECONDS", ["0", "901", "-300", "5m"]],
    ["EVENT_RETENTION_DAYS", ["0", "36501", "-1", "30d", "1.5"]],
    ["AUDIT_RETENTION_DAYS", ["0", "36501", "-1", "400d"]],
    ["AUDIT_ANALYTICS", ["yes", "true", "ON"]],
    ["AUDIT_SIGNING_KEY", [" ", "geheim", "-----BEGIN PRIVATE KEY-----"]],
    ["HEX_API_URL", ["api.hex.com", "ftp://api.hex.com", "https://u:p@h"]],
    ["HEX_WRITE_KEY", [" ", "changeme", "two words", "line\nline"]],
    ["HEX_API_KEY", [" ", "changeme", "two words", "line\nline"]],
    [
      "ADMIN_TOKEN",
      [
        " ",
        "changeme",
        "your-admin-token",
        "xxxx",
        "aaaa",
        '"quoted-token"',
        "two words",
        "tab\ttab",
        "schlüssel-schlüssel-schlüssel",
        "line\nline",
        " before",
      ],
    ],
    ["ATTEMPT_TIMEOUT", ["10", "0s", "-1s", "1.5s", "10 s", "1d", "600h"]],
    ["RETRY_SCHEDULE", [",", "5s,", "5s;10s", "5s,0s"]],
    ["TRUST_PROXY", ["true", "yes", "33", "10.0.0.0/33", "a.b", "loopback"]],
    ["AUDIT_STDOUT", ["on", "JSON"]],
    ["LOG_LEVEL", ["verbose"]],
    ["HEX_SIGNATURE_SCHEME", ["auto", "__proto__"]],
    ["FORWARD_URL", ["ftp://a/", "billing.internal", "http://u:p@a/"]],
    ["PUBLIC_URL", ["//a", "javascript:alert(1)"]],
    ["DATABASE_URL", ["postgres://a/b", "sqlite:", "sqlite::memory:", "a.db"]],
    [
      "HEX_SECRET_PREVIOUS_EXPIRES_AT",
      ["tomorrow", "2026-13-01", "1800000000"],
    ],
    ["FORWARD_SECRET", ["whsec_***", "changeme", "whsec_"]],
  ])("refuses %s of %j", (name, values) => {
    for (const value of values) {
      expect([
        value,
        faultsOf({ HEX_SECRET: SECRET, [name]: value }).map(
          (fault) => fault.split(":", 1)[0],
        ),
      ]).toEqual([value, [name]]);
    }
  });

  it.each([
    [
      "DATABASE_URL",
      "sqlite:/abs/x.db",
      { databaseUrl: { driver: "sqlite", file: "/abs/x.db" } },
    ],
    [
      "DATABASE_URL",
      "sqlite:///abs/x.db",
      { databaseUrl: { driver: "sqlite", file: "/abs/x.db" } },
    ],
    ["TRUST_PROXY", "2", { trustProxy: 2 }],
    ["TRUST_PROXY", "10.0.0.0/8, ::1", { trustProxy: ["10.0.0.0/8", "::1"] }],
    ["ATTEMPT_TIMEOUT", "1500ms", { attemptTimeoutMs: 1500 }],
    ["ADMIN_PORT", "0", { adminPort: 0 }],
    ["HOST", "", { host: "0.0.0.0" }],
    ["EVENT_RETENTION_DAYS", "36500", { eventRetentionDays: 36_500 }],
    ["ADMIN_TOKEN", SECRET, { adminToken: SECRET, warnings: [] }],
    [
      "HANDLERS",
      "./h.mjs",
      { handlers: { file: "./h.mjs", sources: ["hex"] } },
    ],
    ["HEXHOOK_CONFIG", "", { destinations: [] }],
    [
      "FORWARD_URL",
      "http://billing.internal",
      {
        destinations: [
          {
            kind: "http",
            name: "forward",
            sources: ["hex"],
            events: ["*"],
            orderBy: null,
            url: "http://billing.internal/",
            secret: null,
            concurrency: 8,
            allowPrivate: true,
          },
        ],
      },
    ],
  ])("takes %s=%s", (name, value, expected) => {
    expect(loadConfig({ HEX_SECRET: SECRET, [name]: value })).toMatchObject(
      expected,
    );
  });

  it("warns of an admin token that is short, and of a forward secret without an URL", () => {
    const { warnings } = loadConfig({
      HEX_SECRET: SECRET,
      ADMIN_TOKEN: "short-but-taken",
      FORWARD_SECRET: "outbound",
    });
    expect(warnings).toEqual([
      "FORWARD_SECRET: is set, but FORWARD_URL is not; ignored",
      "ADMIN_TOKEN: is shorter than 24 bytes; `hexhook secrets generate` makes one",
    ]);
  });

  it("sends audit entries to Hex analytics when there is a key to write with, unless it is off", () => {
    const analyticsOf = (env: Environment) => {
      const config = loadConfig({ HEX_SECRET: SECRET, ...env });
      return config.auditAnalytics ? config.hexApi.writeKey?.value : null;
    };
    const [api, write] = ["api-key-0123456789", "write-key-0123456789"];
    expect(analyticsOf({ HEX_API_KEY: api })).toBe(api);
    expect(
      analyticsOf({ HEX_API_KEY: api, HEX_WRITE_KEY_FILE: secretFile(write) }),
    ).toBe(write);
    expect(
      analyticsOf({ HEX_WRITE_KEY: write, AUDIT_ANALYTICS: "off" }),
    ).toBeNull();
    expect(faultsOf({ HEX_SECRET: SECRET, AUDIT_ANALYTICS: "on" })).toEqual([
      "AUDIT_ANALYTICS: is on, but there is no key to write with; set HEX_WRITE_KEY (or HEX_API_KEY)",
    ]);
    const warningsOf = (HEX_API_URL: string) =>
      loadConfig({ HEX_SECRET: SECRET, HEX_WRITE_KEY: write, HEX_API_URL })
        .warnings;
    expect(warningsOf("http://api.internal")).toEqual([
      expect.stringMatching(/^HEX_API_URL: is not https/),
    ]);
    expect(warningsOf("http://127.0.0.1:9999")).toEqual([]);
  });

  it("reads the admin token from a file too", () => {
    expect(
      loadConfig({
        HEX_SECRET: SECRET,
        ADMIN_TOKEN_FILE: secretFile(`${OTHER_SECRET}\n`),
      }).adminToken,
    ).toBe(OTHER_SECRET);
  });

  it("refuses a forward secret that is the signing secret, also in base64", () => {
    for (const secret of [
      SECRET,
      `whsec_${Buffer.from(SECRET).toString("base64")}`,
    ]) {
      expect(
        faultsOf({
          HEX_SECRET: SECRET,
          FORWARD_URL: "http://a/",
          FORWARD_SECRET: secret,
        }),
      ).toEqual([
        "FORWARD_SECRET: is a signing secret of hex too; give each its own",
      ]);
    }
  });

  it("warns of names that look like its own and are not", () => {
    const { warnings } = loadConfig({
      HEX_SECRET: SECRET,
      HEX_SERCET: "x",
      HEXHOOK_NONE: "x",
      HEXAGON: "x",
    });
    expect(warnings).toEqual([
      "HEXHOOK_NONE: this version knows no such variable; ignored",
      "HEX_SERCET: this version knows no such variable; ignored",
    ]);
  });
});

describe("a signing secret", () => {
  it.each([
    ["nothing", "", /must be set/],
    ["a short one", "a".repeat(12) + "b".repeat(11), /shorter than 24 bytes/],
    ["blanks", " ".repeat(30), /blank/],
    ["one byte repeated", "a".repeat(40), /one byte repeated/],
    ["stars", "*".repeat(40), /placeholder/],
    ["a placeholder", "changeme-changeme-changeme-changeme", /placeholder/],
    ["a template", "<put-the-secret-of-the-dashboard-here>", /placeholder/],
    [
      "what a shell should replace",
      "${HEX_SECRET_OF_THE_DASHBOARD}",
      /placeholder/,
    ],
    [
      "what a template should replace",
      "{{ .Values.hex.signingSecret }}",
      /placeholder/,
    ],
    ["an invitation", "insert-the-signing-secret-here", /placeholder/],
    ["half hidden", "sk_prod_4f9Qz7Lm2Xw8****************", /placeholder/],
    ["in a word processor's quotes", `“${SECRET}”`, /quotes/],
    ["the name of itself", "your-signing-secret-goes-here-0000", /placeholder/],
    ["one in quotes", `"${SECRET}"`, /quotes/],
    ["one with a line end", `${SECRET}\n`, /white space/],
    ["one with a blank before it", ` ${SECRET}`, /white space/],
  ])("that is %s is refused", (_what, value, message) => {
    const faults = faultsOf({ HEX_SECRET: value });
    expect(faults).toEqual([expect.stringMatching(message)]);
    expect(faults[0]).toMatch(/^HEX_SECRET: /);
  });

  it("may come from a file, whose one line end is forgiven", () => {
    for (const end of ["", "\n", "\r\n"]) {
      const file = secretFile(SECRET + end);
      const config = loadConfig({ HEX_SECRET_FILE: file });
      expect(config.sources[0]!.secrets[0]!.keyId).toBe(keyIdOf(SECRET));
    }
  });

  it.each<[string, () => string, RegExp]>([
    ["is missing", () => path.join(folder.path, "none"), /ENOENT/],
    [
      "is a folder",
      () => {
        mkdirSync(path.join(folder.path, "d"));
        return path.join(folder.path, "d");
      },
      /not a file/,
    ],
    ["is empty", () => secretFile(""), /empty/],
    ["is a line end alone", () => secretFile("\n"), /empty/],
    ["is huge", () => secretFile("x".repeat(70_000)), /too large/],
    ["is not text", () => secretFile(Buffer.alloc(40, 0xff)), /UTF-8/],
    ["has two line ends", () => secretFile(`${SECRET}\n\n`), /white space/],
  ])("in a file that %s is refused", (_what, file, message) => {
    const faults = faultsOf({ HEX_SECRET_FILE: file() });
    expect(faults).toEqual([expect.stringMatching(message)]);
    expect(faults[0]).toMatch(/^HEX_SECRET_FILE: /);
  });

  it("given both ways is a fault", () => {
    const file = secretFile(SECRET);
    expect(faultsOf({ HEX_SECRET: SECRET, HEX_SECRET_FILE: file })).toEqual([
      expect.stringMatching(/^HEX_SECRET: .*HEX_SECRET_FILE/),
    ]);
  });

  it("and its previous one must differ, and the previous one should end", () => {
    expect(
      faultsOf({ HEX_SECRET: SECRET, HEX_SECRET_PREVIOUS: SECRET }),
    ).toEqual([expect.stringMatching(/^HEX_SECRET_PREVIOUS: /)]);
    const both = { HEX_SECRET: SECRET, HEX_SECRET_PREVIOUS: OTHER_SECRET };
    expect(loadConfig(both).warnings).toHaveLength(1);
    const { sources, warnings } = loadConfig({
      ...both,
      HEX_SECRET_PREVIOUS_EXPIRES_AT: "2026-12-01",
    });
    expect(warnings).toEqual([]);
    expect(sources[0]!.secrets[1]!.expiresAt).toBe(Date.UTC(2026, 11, 1));
  });
});

describe("environments", () => {
  it("merge so that real variables win, also over the other form of the same secret", () => {
    expect(
      mergeEnvironments(
        { HEX_SECRET_FILE: "real", PORT: "1" },
        { HEX_SECRET: "dotenv", PORT: "2", HOST: "h" },
      ),
    ).toEqual({ HEX_SECRET_FILE: "real", PORT: "1", HOST: "h" });
  });

  it("are read for what is asked alone", () => {
    expect(readVariables({ PORT: "nonsense" }, ["DATABASE_URL"])).toEqual({
      DATABASE_URL: { driver: "sqlite", file: "data/hexhook.db" },
    });
  });
});

const WHERE = "HEXHOOK_CONFIG: ";
const NOT_HERE = "a secret does not belong into this file";
const REFERENCE = `must be { env: NAME } or { file: PATH }; ${NOT_HERE}`;
const DATED_REFERENCE = `must be { env: NAME } or { file: PATH }, with createdAt and expiresAt at most; ${NOT_HERE}`;
const THIRD_SECRET = "a-third-signing-secret-0123456789abcd";

function configFile(content: string | Buffer): string {
  const file = path.join(folder.path, "hexhook.yaml");
  writeFileSync(file, content);
  return file;
}

function withFile(content: string | Buffer, env: Environment = {}): Config {
  return loadConfig({
    HEX_SECRET: SECRET,
    HEXHOOK_CONFIG: configFile(content),
    ...env,
  });
}

/** The faults of a file, without what all of them begin with. */
function fileFaults(
  content: string | Buffer,
  env: Environment = {},
): readonly string[] {
  return faultsOf({
    HEX_SECRET: SECRET,
    HEXHOOK_CONFIG: configFile(content),
    ...env,
  }).map((fault) => {
    expect(fault).toMatch(/^HEXHOOK_CONFIG: [\x20-\x7e…]+$/);
    return fault.slice(WHERE.length);
  });
}

describe("a secret of a destination", () => {
  it("is not a signing secret too, as a text or as a key", () => {
    const secret = `whsec_${Buffer.alloc(32, "ab").toString("base64")}`;
    expect(() =>
      loadConfig({
        HEX_SECRET: secret,
        FORWARD_URL: "http://127.0.0.1/",
        FORWARD_SECRET: secret,
      }),
    ).toThrow(/^FORWARD_SECRET: is a signing secret of hex too/);
  });
});

describe("the configuration file", () => {
  it("gives destinations in its order, with their defaults, frozen", () => {
    const { destinations, handlers, sources, warnings } = withFile(
      `
destinations:
  "2": { url: "https://Billing.internal", events: [ "invoice.*", "ping" ], secret: { env: BILLING_SECRET }, concurrency: 1, orderBy: /data/customer, allowPrivate: false }
  "1": { url: "http://127.0.0.1:8080/x" }
  ci: { handler: "ci.*", concurrency: 1000, orderBy: "/a~1b/~0" }
  constructor: { handler: "*" }
`,
      { BILLING_SECRET: "outbound" },
    );
    expect(destinations).toEqual([
      {
        kind: "http",
        name: "2",
        sources: ["hex"],
        events: ["invoice.*", "ping"],
        orderBy: "/data/customer",
        url: "https://billing.internal/",
        secret: "outbound",
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
    expect(sources[0]).toMatchObject({ scheme: "hex", onReplay: "reject" });
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
    ["maps without entries", "sources: {}\ndestinations: {}"],
    ["a source without keys", "sources: { hex: {} }"],
    ["a byte order mark and Windows' line ends", "\ufeffsources: {}\r\n"],
    ["a standard tag", "sources: !!map {}"],
  ])("may be %s, and changes nothing then", (_what, content) => {
    const { settings } = withFile(content);
    expect({ ...withFile(content), settings }).toEqual({
      ...loadConfig({ HEX_SECRET: SECRET }),
      settings,
    });
  });

  it("says of the source what the environment left open", () => {
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
        scheme: "hex-body",
        onReplay: "acknowledge",
        secrets: [
          {
            name: "secrets[0]",
            keyId: keyIdOf(THIRD_SECRET),
            key: Buffer.from(THIRD_SECRET),
            createdAt: Date.UTC(2026, 10, 1),
            expiresAt: null,
          },
          {
            name: "secrets[1]",
            createdAt: Date.UTC(2026, 9, 1),
            keyId: keyIdOf(OTHER_SECRET),
            key: Buffer.from(OTHER_SECRET),
            expiresAt: Date.UTC(2026, 11, 1, 12),
          },
        ],
      },
    ]);
    expect(warnings).toEqual([]);
  });

  it("falls back on the variables of the source where it says nothing", () => {
    const { sources } = withFile(
      "sources: { hex: { onReplay: acknowledge } }",
      {
        HEX_SECRET_PREVIOUS: OTHER_SECRET,
        HEX_SIGNATURE_SCHEME: "hex-body",
      },
    );
    expect(sources).toMatchObject([
      {
        scheme: "hex-body",
        onReplay: "acknowledge",
        secrets: [
          { keyId: keyIdOf(SECRET) },
          { keyId: keyIdOf(OTHER_SECRET), expiresAt: null },
        ],
      },
    ]);
  });

  it("is honoured by what signs and verifies by hand, whatever its destinations are like", () => {
    const HEXHOOK_CONFIG = configFile(`
sources: { hex: { scheme: hex-body, secrets: [ { env: HEX_NEXT } ], destinations: [ a ] } }
destinations: { a: { url: "http://a/", secret: { env: NOT_ON_THIS_MACHINE } } }
`);
    expect(
      loadSources({ HEXHOOK_CONFIG, HEX_NEXT: THIRD_SECRET }),
    ).toMatchObject([
      {
        scheme: "hex-body",
        secrets: [{ keyId: keyIdOf(THIRD_SECRET) }],
      },
    ]);
    expect(() => loadSources({ HEXHOOK_CONFIG })).toThrow(
      new ConfigError([`${WHERE}sources.hex.secrets[0]: HEX_NEXT is not set`]),
    );
  });

  describe("says where events go:", () => {
    const destinations =
      'destinations: { a: { url: "http://a/" }, b: { handler: "*" } }';

    it.each<[string, string, Environment, object]>([
      [
        "without a list, to all",
        destinations,
        {},
        { a: ["hex"], b: ["hex"], handlers: ["hex"] },
      ],
      [
        "without a list of the source, to all",
        `sources: { hex: {} }\n${destinations}`,
        {},
        { a: ["hex"], b: ["hex"], handlers: ["hex"] },
      ],
      [
        "by a list, to those alone",
        `sources: { hex: { destinations: [ b ] } }\n${destinations}`,
        {},
        { a: [], b: ["hex"], handlers: [] },
      ],
      [
        "by an empty list, to nobody",
        `sources: { hex: { destinations: [] } }\n${destinations}`,
        {},
        { a: [], b: [], handlers: [] },
      ],
      [
        "by a list, and to what the environment names in any case",
        `sources: { hex: { destinations: [ a ] } }\n${destinations}`,
        { HANDLERS: "h.mjs", FORWARD_URL: "http://f/" },
        { a: ["hex"], b: [], forward: ["hex"], handlers: ["hex"] },
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
          .map(
            ({ name }) =>
              `${WHERE}destinations.${name}: no source lists it; nothing is brought there`,
          ),
      );
    });
  });

  it("warns of what it makes useless, and not of what it refers to", () => {
    const { warnings } = withFile(
      `
sources: { hex: { scheme: hex, secrets: [ { env: HEX_NEXT }, { env: HEX_SECRET_PREVIOUS } ] } }
destinations: { a: { url: "http://a/", secret: { env: HEXHOOK_A_SECRET } } }
`,
      {
        // Not even looked at.
        HEX_SECRET: "changeme",
        HEX_SECRET_PREVIOUS: OTHER_SECRET,
        HEX_SECRET_PREVIOUS_EXPIRES_AT: "someday",
        HEX_SIGNATURE_SCHEME: "hex-body",
        HEX_NEXT_FILE: secretFile(THIRD_SECRET),
        HEXHOOK_A_SECRET: "outbound",
        HEX_SERCET: "x",
      },
    );
    const without =
      "is set, but HEXHOOK_CONFIG gives the secrets of hex without it; ignored";
    expect(warnings).toEqual([
      `HEX_SECRET: ${without}`,
      `HEX_SECRET_PREVIOUS_EXPIRES_AT: ${without}`,
      "HEX_SIGNATURE_SCHEME: is set, but HEXHOOK_CONFIG says another scheme; ignored",
      `${WHERE}sources.hex.secrets[1]: is accepted without end; give it expiresAt`,
      "HEX_SERCET: this version knows no such variable; ignored",
    ]);
  });

  it("takes a secret that it refers to from NAME_FILE, too", () => {
    const { destinations } = withFile(
      'destinations: { a: { url: "http://a/", secret: { env: A_SECRET } } }',
      { A_SECRET_FILE: secretFile("from-a-file\n") },
    );
    expect(destinations).toMatchObject([{ secret: "from-a-file" }]);
  });

  it("may repeat itself by a few aliases", () => {
    const { destinations } = withFile(
      'destinations: { a: { url: "http://a/", events: &e [ "a.*" ] }, b: { handler: "*", events: *e } }',
    );
    expect(destinations.map(({ events }) => events)).toEqual([
      ["a.*"],
      ["a.*"],
    ]);
  });
});

describe("a configuration file that cannot be used", () => {
  const EMPTY =
    "names a file that is empty; write sources: or destinations: into it, or unset HEXHOOK_CONFIG";

  it.each<[string, () => string, string]>([
    [
      "is missing",
      () => path.join(folder.path, "none"),
      "names a file that cannot be read (ENOENT)",
    ],
    ["is a folder", () => folder.path, "names something that is not a file"],
    [
      "is huge",
      () => configFile("#".repeat(1_048_577)),
      "names a file that is too large (more than 1048576 bytes)",
    ],
    [
      "is not text",
      () => configFile(Buffer.from([0x61, 0xff])),
      "names a file that is not UTF-8 text",
    ],
    ["is empty", () => configFile(""), EMPTY],
    ["is comments alone", () => configFile("# nothing\n---\n"), EMPTY],
    ["is null", () => configFile("~"), EMPTY],
  ])("because it %s is one fault", (_what, file, fault) => {
    // Without HEX_SECRET: it may be in the file, and is not asked for as long as that is not known.
    expect(faultsOf({ HEXHOOK_CONFIG: file() })).toEqual([`${WHERE}${fault}`]);
  });

  const ONE_OF_EACH = Array.from({ length: 9 }, (_, i) => `k${i}`);

  it.each<[string, string, string[]]>([
    [
      "a key twice",
      "destinations:\n  a: { handler: x }\n  a: { handler: geheim }",
      ["line 3, column 3: this key is there twice; keep one"],
    ],
    [
      "the key __proto__ twice",
      "__proto__: {}\n__proto__: {}",
      ["line 2, column 1: this key is there twice; keep one"],
    ],
    [
      "the same key spelt otherwise",
      "destinations: {}\n'destinations': {}",
      ["line 2, column 1: this key is there twice; keep one"],
    ],
    [
      "two documents",
      "{}\n---\n{}",
      ["line 2, column 1: a second document begins here; keep one"],
    ],
    [
      "custom tags",
      "sources: !geheim {}\ndestinations: !!set {}",
      [
        "line 1, column 10: tags are not known here; take this one away",
        "line 2, column 15: tags are not known here; take this one away",
      ],
    ],
    [
      "another version of YAML",
      "# no\n%YAML 1.1\n---\nsources: {}",
      ["line 2, column 1: only YAML 1.2 is read; take this line away"],
    ],
    [
      "keys that are no text",
      "[geheim]: 1",
      ["line 1, column 1: a key must be plain text"],
    ],
    [
      "a quote that is not closed",
      "a:\n  'geheim",
      ["line 2, column 10: a quote, bracket, comma or blank is missing"],
    ],
    [
      "two colons",
      "a: geheim: x",
      ["line 1, column 4: a second colon is here; put quotes around the value"],
    ],
    [
      "tabs",
      "a:\n\tb: 1",
      ["line 2, column 1: a tab is used to indent; use blanks"],
    ],
    [
      "a strange escape",
      'a: "\\q geheim"',
      [
        "line 1, column 5: a backslash means something in double quotes; use single ones",
      ],
    ],
    [
      "an alias of nothing",
      "destinations: *geheim",
      ["line 1, column 15: this alias has no anchor before it"],
    ],
    [
      "many aliases",
      `a: &e 1\nb: [${Array(101).fill("*e").join(", ")}]`,
      ["line 2, column 405: more than 100 aliases; write the values out"],
    ],
    [
      "aliases of aliases that stand for a billion values",
      ONE_OF_EACH.map((key, i) =>
        i === 0
          ? `${key}: &${key} [x, x, x, x, x, x, x, x, x]`
          : `${key}: &${key} [${Array(9)
              .fill(`*k${i - 1}`)
              .join(", ")}]`,
      ).join("\n"),
      ["aliases multiply; write the values out"],
    ],
    ["text alone", "geheim", ["must be a map (of sources, destinations)"]],
    ["a list", "- geheim", ["must be a map (of sources, destinations)"]],
    [
      "merge keys",
      "<<: { sources: {} }",
      ['"<<": is not known here; known are sources, destinations'],
    ],
    [
      "keys that would break the line",
      `"a\\nb\\u2028\\e[31m": 1\n? ${"x".repeat(80)}\n: 1`,
      [
        '"a\\nb\\u2028\\u001b[31m": is not known here; known are sources, destinations',
        `"${"x".repeat(64)}…": is not known here; known are sources, destinations`,
      ],
    ],
  ])("because it has %s is told", (_what, content, faults) => {
    expect(fileFaults(content)).toEqual(faults);
  });

  it.each([
    ["deep lists", "[".repeat(200_000)],
    ["deep maps", "{ a: ".repeat(100_000)],
    ["nothing but quotes", "'".repeat(100_001)],
  ])(
    "because it is %s is told in no more than a few lines",
    (_what, content) => {
      const faults = fileFaults(content);
      expect(faults.length).toBeGreaterThan(0);
      expect(faults.length).toBeLessThan(22);
    },
  );

  it.each([
    ["keys", Array.from({ length: 100_000 }, (_, i) => `k${i}:`).join("\n")],
    ["values", `destinations: { a: { events: [${"1,".repeat(400_000)}] } }`],
  ])("because it has very many %s is told in one line", (_what, content) => {
    expect(fileFaults(content)).toEqual([
      expect.stringMatching(
        /^line \d+, column \d+: more than 20000 keys and values; /,
      ),
    ]);
  });
});

describe("a part of the configuration file", () => {
  const KNOWN =
    "is not known here; known are url, handler, events, concurrency, orderBy, secret, allowPrivate";
  const MAP =
    "must be a map (of url, handler, events, concurrency, orderBy, secret, allowPrivate)";
  const NAME = "a name is 1 to 64 of a-z, 0-9 and -, and does not begin with -";
  const URL_FAULT =
    "must be an http:// or https:// URL without a user name or password";
  const PATTERN = "must be an event type, prefix.* or *";
  const CONCURRENCY = "must be a whole number from 1 to 1000";
  const POINTER =
    "must be a JSON pointer such as /data/customer (~ as ~0, / in a name as ~1)";
  const HANDLER =
    "must be a key of the handlers module: an event type, prefix.* or *";

  it.each<[string, string, string]>([
    ["a", "5", `a: ${MAP}`],
    ["a", "", `a: ${MAP}`],
    ["a", "[ x ]", `a: ${MAP}`],
    ["a", "geheim", `a: ${MAP}`],
    ["a", "{}", "a.url: is missing; a destination has url or handler"],
    [
      "a",
      "{ url: 'http://a/', handler: x }",
      "a.handler: stands beside url; keep one of them",
    ],
    ["a", "{ url: 'http://a/', sekret: geheim }", `a.sekret: ${KNOWN}`],
    ["a", "{ url: 'http://a/', __proto__: {} }", `a.__proto__: ${KNOWN}`],
    ["a", "{ url: 'http://a/', constructor: {} }", `a.constructor: ${KNOWN}`],
    ...["ftp://a/", "geheim", "http://u:geheim@a/", "//a", ""].map(
      (url): [string, string, string] => [
        "a",
        `{ url: '${url}' }`,
        `a.url: ${URL_FAULT}`,
      ],
    ),
    ...["5", "~", "{ a: b }", "[ 'http://a/' ]"].map(
      (url): [string, string, string] => [
        "a",
        `{ url: ${url} }`,
        `a.url: ${URL_FAULT}`,
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
      "a.secret: goes with url alone; take it away",
    ],
    [
      "a",
      "{ handler: x, allowPrivate: true }",
      "a.allowPrivate: goes with url alone; take it away",
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
      "a.events[2]: is there twice; keep one",
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
  ])("destinations: { %s: %s } is told: %s", (name, value, fault) => {
    expect(fileFaults(`destinations: { ${name}: ${value} }`)).toEqual([
      `destinations.${fault}`,
    ]);
  });

  it.each([
    ["destinations:", "destinations: must be a map of names"],
    ["destinations: [ a ]", "destinations: must be a map of names"],
    ["sources: hex", "sources: must be a map (of hex)"],
    ["sources: ~", "sources: must be a map (of hex)"],
    [
      "destination: {}",
      "destination: is not known here; known are sources, destinations",
    ],
    [
      "sources: { github: {} }",
      "sources.github: is no source that this version knows; there is hex alone",
    ],
    [
      "sources: { constructor: {} }",
      "sources.constructor: is no source that this version knows; there is hex alone",
    ],
    [
      "sources: { __proto__: {} }",
      "sources.__proto__: is no source that this version knows; there is hex alone",
    ],
  ])("%s is told: %s", (content, fault) => {
    expect(fileFaults(content)).toEqual([fault]);
  });

  const LIST = "must be the name of a destination of this file";

  it.each([
    ["5", "hex: must be a map (of scheme, secrets, onReplay, destinations)"],
    ["", "hex: must be a map (of scheme, secrets, onReplay, destinations)"],
    [
      "{ secret: { env: A } }",
      "hex.secret: is not known here; known are scheme, secrets, onReplay, destinations",
    ],
    ["{ scheme: auto }", "hex.scheme: must be one of hex, hex-body"],
    ["{ scheme: __proto__ }", "hex.scheme: must be one of hex, hex-body"],
    ["{ scheme: ~ }", "hex.scheme: must be one of hex, hex-body"],
    ["{ onReplay: 200 }", "hex.onReplay: must be one of reject, acknowledge"],
    [
      "{ destinations: a }",
      "hex.destinations: must be a list of names of destinations",
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
      "hex.destinations[2]: is there twice; keep one",
    ],
    ["{ secrets: [] }", "hex.secrets: must not be empty"],
  ])("sources: { hex: %s } is told: %s", (value, fault) => {
    expect(
      fileFaults(
        `sources: { hex: ${value} }\ndestinations: { a: { handler: x }, 1: { handler: x } }`,
      ),
    ).toEqual([`sources.${fault}`]);
  });

  it("names a few of the destinations that there are, or says that there is none", () => {
    const names = Array.from({ length: 11 }, (_, i) => `d${i}`);
    const list = "sources: { hex: { destinations: [ x ] } }\n";
    expect(fileFaults(list)).toEqual([
      `sources.hex.destinations[0]: ${LIST} (it has none)`,
    ]);
    const entries = names.map((name) => `${name}: { handler: x }`).join(", ");
    expect(fileFaults(`${list}destinations: { ${entries} }`)).toEqual([
      `sources.hex.destinations[0]: ${LIST} (${names.slice(0, 10).join(", ")}, …)`,
    ]);
  });

  it("has the name of what FORWARD_URL makes only where that is not set", () => {
    const content = "destinations: { forward: { handler: x } }";
    expect(withFile(content).destinations).toHaveLength(1);
    expect(fileFaults(content, { FORWARD_URL: "http://a/" })).toEqual([
      "destinations.forward: is the name of what FORWARD_URL makes; rename this one, or unset FORWARD_URL",
    ]);
  });

  it("that is wrong does not hide the others, nor the faults of variables", () => {
    expect(
      faultsOf({
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
      "ADMIN_TOKEN: is a placeholder; `hexhook secrets generate` makes one",
      `${WHERE}sources.stripe: is no source that this version knows; there is hex alone`,
      `${WHERE}extra: is not known here; known are sources, destinations`,
      `${WHERE}sources.hex.scheme: must be one of hex, hex-body`,
      `${WHERE}sources.hex.destinations[0]: ${LIST} (a)`,
      `${WHERE}destinations.a.url: ${URL_FAULT}`,
      `${WHERE}destinations.a.events[0]: ${PATTERN}`,
      `${WHERE}destinations.a.events[2]: is there twice; keep one`,
      `${WHERE}destinations.a.concurrency: ${CONCURRENCY}`,
      `${WHERE}destinations.a.secret: A_SECRET is not set`,
      `${WHERE}destinations.B: ${NAME}`,
      `${WHERE}destinations.B.handler: ${HANDLER}`,
      `${WHERE}destinations.B.secret: goes with url alone; take it away`,
      "HEX_SECRET: must be set (or HEX_SECRET_FILE, the path of a file)",
    ]);
  });
});

describe("a secret that the configuration file refers to", () => {
  const VARIABLE = `must be the name of a variable in capitals, such as BILLING_SECRET; ${NOT_HERE}`;
  /** What no fault may repeat, wherever it stands. */
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
    ["{}", "", "must have env or file, one of the two"],
    ["{ env: A, file: b }", "", "must have env or file, one of the two"],
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
      "must be NAME without _FILE; NAME_FILE is looked for too",
    ],
    ["{ env: NOT_SET }", "", "NOT_SET is not set"],
    ["{ env: SECRET }", "", "SECRET is not set"],
    ["{ env: EMPTY_ONE }", "", "EMPTY_ONE is not set"],
    // It could be a key in base32.
    [
      "{ env: GEHEIM7GEHEIM2GEHEIM }",
      "",
      "the variable that env names is not set",
    ],
    ["{ env: BOTH }", "", "BOTH is set, and so is BOTH_FILE; keep one of them"],
    [
      "{ env: LOST }",
      "",
      "LOST_FILE names a file that cannot be read (ENOENT)",
    ],
    [
      "{ env: PLACEHOLDER }",
      "",
      "PLACEHOLDER is a placeholder; `hexhook secrets generate` makes one",
    ],
    [
      `{ file: ${LITERAL} }`,
      ".file",
      "names a file that cannot be read (ENOENT)",
    ],
    ["{ file: / }", ".file", "names something that is not a file"],
    ["{ file: '' }", ".file", "must be the path of a file"],
    ["{ file: 5 }", ".file", "must be the path of a file"],
    ["{ file: ~ }", ".file", "must be the path of a file"],
  ])("as %s is told at the place%s: %s", (reference, below, fault) => {
    const env = {
      EMPTY_ONE: "",
      BOTH: LITERAL,
      BOTH_FILE: "/geheim",
      LOST_FILE: "/geheim/geheim",
      PLACEHOLDER: "changeme",
    };
    const faults = fileFaults(destination(reference), env);
    expect(faults).toEqual([`destinations.a.secret${below}: ${fault}`]);
    expect(faults.join("")).not.toMatch(/geheim/i);
    const listed = reference === "" ? "''" : reference;
    expect(fileFaults(source(listed), env)).toEqual([
      `sources.hex.secrets[0]${below}: ${fault === REFERENCE ? DATED_REFERENCE : fault}`,
    ]);
  });

  it("has dates in the source alone", () => {
    expect(
      fileFaults(destination("{ env: HEX_SECRET, expiresAt: 2026-12-01 }")),
    ).toEqual([`destinations.a.secret: ${REFERENCE}`]);
  });

  it("must be of the kind that its place asks for", () => {
    const env = { SHORT_ONE: "short", BROKEN_ONE: "whsec_***" };
    expect(withFile(destination("{ env: SHORT_ONE }"), env).warnings).toEqual(
      [],
    );
    expect(fileFaults(source("{ env: SHORT_ONE }"), env)).toEqual([
      "sources.hex.secrets[0]: SHORT_ONE is shorter than 24 bytes; `hexhook secrets generate` makes one",
    ]);
    expect(fileFaults(destination("{ env: BROKEN_ONE }"), env)).toEqual([
      "destinations.a.secret: BROKEN_ONE must be base64 behind whsec_",
    ]);
    const file = JSON.stringify(secretFile("short"));
    expect(fileFaults(source(`{ file: ${file} }`))).toEqual([
      "sources.hex.secrets[0].file: is shorter than 24 bytes; `hexhook secrets generate` makes one",
    ]);
  });

  it.each([LITERAL, `{ env: ${LITERAL} }`, "HEX_SECRET", "~", ""])(
    "stands in a list: %j instead is told",
    (value) => {
      expect(fileFaults(`sources: { hex: { secrets: ${value} } }`)).toEqual([
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
  ])("with %s is told", (dates, fault) => {
    expect(
      fileFaults(source("{ env: HEX_SECRET }", `{ env: HEX_OLD, ${dates} }`), {
        HEX_OLD: OTHER_SECRET,
      }),
    ).toEqual([`sources.hex.secrets[1].${fault}`]);
  });

  it("has no end where it is the one in force", () => {
    expect(
      fileFaults(source("{ env: HEX_SECRET, expiresAt: 2026-12-01 }")),
    ).toEqual([
      "sources.hex.secrets[0].expiresAt: the first secret is the one in force and has no end; put the new one before it",
    ]);
  });

  it("is there once, and is not a destination's secret too", () => {
    const encoded = Buffer.from(OTHER_SECRET).toString("base64");
    const repeated = "a rotation needs a new one";
    const shared = "is a signing secret of hex too; give each its own";
    expect(
      fileFaults(
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

describe("the documents", () => {
  const read = (file: string): string => readFileSync(inProject(file), "utf8");

  it.each(["README.md", "docs/destinations.md"])(
    "give an example of a configuration file that is good: %s",
    (file) => {
      const old = JSON.stringify(secretFile(OTHER_SECRET));
      const example = /```yaml\n(sources:\n.*?)```/s.exec(read(file))?.[1];
      const { destinations, warnings } = withFile(
        (example ?? "").replace("/run/secrets/hex-old", old),
        { BILLING_SECRET: "outbound" },
      );
      expect(destinations.map(({ name }) => name)).toEqual(["billing", "ci"]);
      expect(warnings).toEqual([]);
    },
  );

  it("list every key of the file, and no other", () => {
    const [, sources = "", destinations = ""] = read(
      "docs/destinations.md",
    ).split(/^### (?:Sources|Destinations)$/m);
    const keysOf = (section: string): string[] =>
      [...section.matchAll(/^\| `(\w+)`/gm)].map(([, key]) => key!).sort();
    const known = (content: string): string[] =>
      fileFaults(content)[0]!.split("known are ")[1]!.split(", ").sort();
    expect(keysOf(sources)).toEqual(known("sources: { hex: { x: 1 } }"));
    expect(keysOf(destinations.split("###", 1)[0]!)).toEqual(
      known("destinations: { a: { url: 'http://a/', x: 1 } }"),
    );
  });
});
