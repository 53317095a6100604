import { beforeEach, describe, expect, it } from "@jest/globals";
import { mkdirSync } from "node:fs";
import path from "node:path";
import {
  type Environment,
  loadConfig,
  mergeEnvironments,
  readVariables,
} from "../../../src/config/load-config.ts";
import { keyIdOf } from "../../../src/domain/key-id.ts";
import { configFiles, errorsOf } from "../../support/config-file.ts";
import { OTHER_SECRET, SECRET } from "../../support/fixtures.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

let folder: ReturnType<typeof temporaryFolder>;

beforeEach(() => {
  folder = temporaryFolder();
});

const { secretFile } = configFiles(() => folder.path);

describe("the configuration", () => {
  it("has defaults, and is frozen", () => {
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
      auditStdout: null,
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
      logFormat: null,
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
      scheme: { name: "hex" },
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
    "allows six seconds for a shutdown after draining by default: %s",
    (_what, env, shutdownSeconds) => {
      expect(loadConfig({ HEX_SECRET: SECRET, ...env })).toMatchObject({
        shutdownSeconds,
      });
    },
  );

  it("reports all errors at once, with the variable but not its value", () => {
    const errors = errorsOf({
      HEX_SECRET: "geheim",
      PORT: "geheim1",
      MAX_BODY_BYTES: "geheim2",
      FORWARD_URL: "geheim3",
      RETRY_SCHEDULE: "geheim4",
    });
    expect(errors.map((error) => error.split(":", 1)[0])).toEqual([
      "PORT",
      "MAX_BODY_BYTES",
      "FORWARD_URL",
      "RETRY_SCHEDULE",
      "HEX_SECRET",
    ]);
    expect(errors.join("\n")).not.toContain("geheim");
    expect(errors.every((error) => !error.includes("\n"))).toBe(true);
  });

  it.each([
    ["PORT", ["-1", "65536", "NaN", "3000.0", "3e3", " 3000", "0x10"]],
    ["MAX_BODY_BYTES", ["0", "-1", "1O24kb", "1kb", "26214401", "NaN"]],
    ["REPLAY_WINDOW_SECONDS", ["0", "901", "-300", "5m"]],
    ["EVENT_RETENTION_DAYS", ["0", "36501", "-1", "30d", "1.5"]],
    ["AUDIT_RETENTION_DAYS", ["0", "36501", "-1", "400d"]],
    ["AUDIT_UNVERIFIED_MB_PER_DAY", ["0", "1000001", "-1", "64MB", "0.5"]],
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
    ["LOG_FORMAT", ["text", "JSON"]],
    ["HEX_SIGNATURE_SCHEME", ["auto", "__proto__"]],
    ["FORWARD_URL", ["ftp://a/", "billing.internal", "http://u:p@a/"]],
    [
      "PUBLIC_URL",
      [
        "//a",
        "javascript:alert(1)",
        "https://a/b?c",
        "https://a/#",
        "https://a/?",
      ],
    ],
    ["DATABASE_URL", ["postgres://a/b", "sqlite:", "sqlite::memory:", "a.db"]],
    [
      "HEX_SECRET_PREVIOUS_EXPIRES_AT",
      ["tomorrow", "2026-13-01", "1800000000"],
    ],
    ["FORWARD_SECRET", ["whsec_***", "changeme", "whsec_"]],
  ])("rejects %s=%j", (name, values) => {
    for (const value of values) {
      expect([
        value,
        errorsOf({ HEX_SECRET: SECRET, [name]: value }).map(
          (error) => error.split(":", 1)[0],
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
  ])("accepts %s=%s", (name, value, expected) => {
    expect(loadConfig({ HEX_SECRET: SECRET, [name]: value })).toMatchObject(
      expected,
    );
  });

  it.each([
    ["https://a", "https://a"],
    ["https://A/", "https://a"],
    ["https://a:8443/base/hooks", "https://a:8443/base/hooks"],
    ["http://a/base//", "http://a/base"],
  ])("normalises PUBLIC_URL %s to %s", (given, base) => {
    const { sources } = loadConfig({ HEX_SECRET: SECRET, PUBLIC_URL: given });
    expect(sources[0]?.publicUrl).toBe(`${base}/webhooks/hex`);
  });

  it("warns about FORWARD_SECRET without FORWARD_URL", () => {
    const { warnings } = loadConfig({
      HEX_SECRET: SECRET,
      FORWARD_SECRET: OTHER_SECRET,
    });
    expect(warnings).toEqual([
      "FORWARD_SECRET: is ignored because FORWARD_URL is not set",
    ]);
  });

  it.each([
    ["short", "b".repeat(11) + "a".repeat(12), /shorter than 24 bytes/],
    ["a placeholder", "changeme-changeme-changeme-changeme", /placeholder/],
    ["spaces", " ".repeat(30), /only white space/],
    ["one byte repeated", "a".repeat(40), /repeats a single byte/],
  ])(
    "rejects ADMIN_TOKEN and FORWARD_SECRET when they are %s",
    (_what, value, why) => {
      expect(
        errorsOf({
          HEX_SECRET: SECRET,
          ADMIN_TOKEN: value,
          FORWARD_URL: "http://a/",
          FORWARD_SECRET: value,
        }),
      ).toEqual([
        expect.stringMatching(new RegExp(`^ADMIN_TOKEN: .*${why.source}`)),
        expect.stringMatching(new RegExp(`^FORWARD_SECRET: .*${why.source}`)),
      ]);
    },
  );

  it.each([
    ["is short", Buffer.from("0123456789"), /shorter than 24 bytes/],
    ["is one byte repeated", Buffer.alloc(32, "a"), /repeats a single byte/],
  ])("rejects a FORWARD_SECRET whose base64 key %s", (_what, key, why) => {
    expect(
      errorsOf({
        HEX_SECRET: SECRET,
        FORWARD_URL: "http://a/",
        FORWARD_SECRET: `whsec_${key.toString("base64")}`,
      }),
    ).toEqual([expect.stringMatching(why)]);
  });

  it("turns AUDIT_ANALYTICS on when a write key is set", () => {
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
    expect(errorsOf({ HEX_SECRET: SECRET, AUDIT_ANALYTICS: "on" })).toEqual([
      "AUDIT_ANALYTICS: is on, but no write key is set; set HEX_WRITE_KEY or HEX_API_KEY",
    ]);
    const warningsOf = (HEX_API_URL: string) =>
      loadConfig({ HEX_SECRET: SECRET, HEX_WRITE_KEY: write, HEX_API_URL })
        .warnings;
    expect(warningsOf("http://api.internal")).toEqual([
      expect.stringMatching(/^HEX_API_URL: is not https/),
    ]);
    expect(warningsOf("http://127.0.0.1:9999")).toEqual([]);
  });

  it("reads the admin token from ADMIN_TOKEN_FILE", () => {
    expect(
      loadConfig({
        HEX_SECRET: SECRET,
        ADMIN_TOKEN_FILE: secretFile(`${OTHER_SECRET}\n`),
      }).adminToken,
    ).toBe(OTHER_SECRET);
  });

  it("rejects a FORWARD_SECRET that is the signing secret, also in base64", () => {
    for (const secret of [
      SECRET,
      `whsec_${Buffer.from(SECRET).toString("base64")}`,
    ]) {
      expect(
        errorsOf({
          HEX_SECRET: SECRET,
          FORWARD_URL: "http://a/",
          FORWARD_SECRET: secret,
        }),
      ).toEqual([
        "FORWARD_SECRET: is also a signing secret of source hex; use separate secrets",
      ]);
    }
  });

  it("warns about unknown HEX_ and HEXHOOK_ variables", () => {
    const { warnings } = loadConfig({
      HEX_SECRET: SECRET,
      HEX_SERCET: "x",
      HEXHOOK_NONE: "x",
      HEXAGON: "x",
    });
    expect(warnings).toEqual([
      "HEXHOOK_NONE: is ignored because it is not a known variable; check the spelling",
      "HEX_SERCET: is ignored because it is not a known variable; check the spelling",
    ]);
  });
});

describe("a signing secret", () => {
  it.each([
    ["empty", "", /is not set/],
    ["too short", "a".repeat(12) + "b".repeat(11), /shorter than 24 bytes/],
    ["only spaces", " ".repeat(30), /only white space/],
    ["one byte repeated", "a".repeat(40), /repeats a single byte/],
    ["only stars", "*".repeat(40), /placeholder/],
    ["a placeholder", "changeme-changeme-changeme-changeme", /placeholder/],
    ["a template", "<put-the-secret-of-the-dashboard-here>", /placeholder/],
    ["a shell variable", "${HEX_SECRET_OF_THE_DASHBOARD}", /placeholder/],
    ["a template variable", "{{ .Values.hex.signingSecret }}", /placeholder/],
    ["an instruction", "insert-the-signing-secret-here", /placeholder/],
    ["half masked", "sk_prod_4f9Qz7Lm2Xw8****************", /placeholder/],
    ["in typographic quotes", `“${SECRET}”`, /quotes/],
    [
      "a description of itself",
      "your-signing-secret-goes-here-0000",
      /placeholder/,
    ],
    ["in quotes", `"${SECRET}"`, /quotes/],
    ["not UTF-8", `${SECRET}\ufffd`, /not UTF-8/],
    ["followed by a newline", `${SECRET}\n`, /white space/],
    ["preceded by a space", ` ${SECRET}`, /white space/],
  ])("is rejected when it is %s", (_what, value, message) => {
    const errors = errorsOf({ HEX_SECRET: value });
    expect(errors).toEqual([expect.stringMatching(message)]);
    expect(errors[0]).toMatch(/^HEX_SECRET: /);
  });

  it("is read from a file without its byte order mark and final newline", () => {
    for (const [mark, end] of [
      ["", ""],
      ["", "\n"],
      ["", "\r\n"],
      ["\ufeff", "\r\n"],
    ] as const) {
      const file = secretFile(mark + SECRET + end);
      const config = loadConfig({ HEX_SECRET_FILE: file });
      expect(config.sources[0]!.secrets[0]!.keyId).toBe(keyIdOf(SECRET));
    }
  });

  it.each<[string, () => string, RegExp]>([
    ["is missing", () => path.join(folder.path, "none"), /ENOENT/],
    [
      "is a directory",
      () => {
        mkdirSync(path.join(folder.path, "d"));
        return path.join(folder.path, "d");
      },
      /not a regular file/,
    ],
    ["is empty", () => secretFile(""), /empty/],
    ["is only a newline", () => secretFile("\n"), /empty/],
    ["is huge", () => secretFile("x".repeat(70_000)), /too large/],
    ["is not UTF-8", () => secretFile(Buffer.alloc(40, 0xff)), /UTF-8/],
    [
      "is UTF-16",
      () => secretFile(Buffer.from(`\ufeff${SECRET}`, "utf16le")),
      /UTF-16/,
    ],
    [
      "is UTF-16 without a mark",
      () => secretFile(Buffer.from(SECRET, "utf16le")),
      /NUL bytes/,
    ],
    ["has a second line", () => secretFile(`${SECRET}\nmore`), /newline/],
    [
      "ends with two newlines",
      () => secretFile(`${SECRET}\n\n`),
      /white space/,
    ],
  ])("is rejected in a file that %s", (_what, file, message) => {
    const errors = errorsOf({ HEX_SECRET_FILE: file() });
    expect(errors).toEqual([expect.stringMatching(message)]);
    expect(errors[0]).toMatch(/^HEX_SECRET_FILE: /);
  });

  it("is rejected when HEX_SECRET and HEX_SECRET_FILE are both set", () => {
    const file = secretFile(SECRET);
    expect(errorsOf({ HEX_SECRET: SECRET, HEX_SECRET_FILE: file })).toEqual([
      expect.stringMatching(/^HEX_SECRET: .*HEX_SECRET_FILE/),
    ]);
  });

  it("must differ from the previous secret, which should expire", () => {
    expect(
      errorsOf({ HEX_SECRET: SECRET, HEX_SECRET_PREVIOUS: SECRET }),
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
  it("are merged with precedence for real variables, even for NAME_FILE over NAME", () => {
    expect(
      mergeEnvironments(
        { HEX_SECRET_FILE: "real", PORT: "1" },
        { HEX_SECRET: "dotenv", PORT: "2", HOST: "h" },
      ),
    ).toEqual({ HEX_SECRET_FILE: "real", PORT: "1", HOST: "h" });
  });

  it("are checked only for the requested variables", () => {
    expect(readVariables({ PORT: "nonsense" }, ["DATABASE_URL"])).toEqual({
      DATABASE_URL: { driver: "sqlite", file: "data/hexhook.db" },
    });
  });
});

describe("a secret of a destination", () => {
  it("must not be a signing secret, either as a string or as a key", () => {
    const secret = `whsec_${Buffer.alloc(32, "ab").toString("base64")}`;
    expect(() =>
      loadConfig({
        HEX_SECRET: secret,
        FORWARD_URL: "http://127.0.0.1/",
        FORWARD_SECRET: secret,
      }),
    ).toThrow(/^FORWARD_SECRET: is also a signing secret of source hex/);
  });
});
