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

  it("tells every error at once, naming the variable and never its value", () => {
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
  ])("refuses %s of %j", (name, values) => {
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
  ])("takes %s=%s", (name, value, expected) => {
    expect(loadConfig({ HEX_SECRET: SECRET, [name]: value })).toMatchObject(
      expected,
    );
  });

  it.each([
    ["https://a", "https://a"],
    ["https://A/", "https://a"],
    ["https://a:8443/base/hooks", "https://a:8443/base/hooks"],
    ["http://a/base//", "http://a/base"],
  ])("takes PUBLIC_URL %s with its path, as %s", (given, publicUrl) => {
    expect(
      loadConfig({ HEX_SECRET: SECRET, PUBLIC_URL: given }).publicUrl,
    ).toBe(publicUrl);
  });

  it("warns of a forward secret without an URL", () => {
    const { warnings } = loadConfig({
      HEX_SECRET: SECRET,
      FORWARD_SECRET: OTHER_SECRET,
    });
    expect(warnings).toEqual([
      "FORWARD_SECRET: is set, but FORWARD_URL is not; ignored",
    ]);
  });

  it.each([
    ["short", "b".repeat(11) + "a".repeat(12), /shorter than 24 bytes/],
    ["a placeholder", "changeme-changeme-changeme-changeme", /placeholder/],
    ["spaces", " ".repeat(30), /blank/],
    ["one byte repeated", "a".repeat(40), /one byte repeated/],
  ])("refuses a token and a forward secret that is %s", (_what, value, why) => {
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
  });

  it.each([
    ["is short", Buffer.from("0123456789"), /shorter than 24 bytes/],
    ["is one byte repeated", Buffer.alloc(32, "a"), /one byte repeated/],
  ])("refuses a forward secret whose key in base64 %s", (_what, key, why) => {
    expect(
      errorsOf({
        HEX_SECRET: SECRET,
        FORWARD_URL: "http://a/",
        FORWARD_SECRET: `whsec_${key.toString("base64")}`,
      }),
    ).toEqual([expect.stringMatching(why)]);
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
    expect(errorsOf({ HEX_SECRET: SECRET, AUDIT_ANALYTICS: "on" })).toEqual([
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
        errorsOf({
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
    ["one that is not UTF-8", `${SECRET}\ufffd`, /not UTF-8/],
    ["one with a line end", `${SECRET}\n`, /white space/],
    ["one with a blank before it", ` ${SECRET}`, /white space/],
  ])("that is %s is refused", (_what, value, message) => {
    const errors = errorsOf({ HEX_SECRET: value });
    expect(errors).toEqual([expect.stringMatching(message)]);
    expect(errors[0]).toMatch(/^HEX_SECRET: /);
  });

  it("may come from a file, whose one line end and byte order mark are forgiven", () => {
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
      "is a folder",
      () => {
        mkdirSync(path.join(folder.path, "d"));
        return path.join(folder.path, "d");
      },
      /not a regular file/,
    ],
    ["is empty", () => secretFile(""), /empty/],
    ["is a line end alone", () => secretFile("\n"), /empty/],
    ["is huge", () => secretFile("x".repeat(70_000)), /too large/],
    ["is not text", () => secretFile(Buffer.alloc(40, 0xff)), /UTF-8/],
    [
      "is UTF-16",
      () => secretFile(Buffer.from(`\ufeff${SECRET}`, "utf16le")),
      /UTF-16/,
    ],
    [
      "is UTF-16 without a mark",
      () => secretFile(Buffer.from(SECRET, "utf16le")),
      /not UTF-8/,
    ],
    ["has a second line", () => secretFile(`${SECRET}\nmore`), /newline/],
    ["has two line ends", () => secretFile(`${SECRET}\n\n`), /white space/],
  ])("in a file that %s is refused", (_what, file, message) => {
    const errors = errorsOf({ HEX_SECRET_FILE: file() });
    expect(errors).toEqual([expect.stringMatching(message)]);
    expect(errors[0]).toMatch(/^HEX_SECRET_FILE: /);
  });

  it("given both ways is a error", () => {
    const file = secretFile(SECRET);
    expect(errorsOf({ HEX_SECRET: SECRET, HEX_SECRET_FILE: file })).toEqual([
      expect.stringMatching(/^HEX_SECRET: .*HEX_SECRET_FILE/),
    ]);
  });

  it("and its previous one must differ, and the previous one should end", () => {
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
