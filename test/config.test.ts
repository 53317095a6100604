import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import {
  type Environment,
  loadConfig,
  mergeEnvironments,
  readVariables,
} from "../src/config.ts";
import { keyIdOf } from "../src/core/key-id.ts";
import { ConfigError } from "../src/errors.ts";
import { OTHER_SECRET, SECRET, temporaryFolder } from "./harness.ts";

let folder: ReturnType<typeof temporaryFolder>;

beforeEach(() => {
  folder = temporaryFolder();
});

afterEach(() => {
  folder.remove();
});

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
      databaseFile: "data/hexhook.db",
      replayWindowSeconds: 300,
      maxBodyBytes: 1_048_576,
      attemptTimeoutMs: 10_000,
      trustProxy: 0,
      auditStdout: "prefixed",
      logLevel: "info",
      keepAliveSeconds: 65,
      drainSeconds: 5,
      shutdownSeconds: 20,
      forward: null,
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
      "HEX_SECRET",
      "MAX_BODY_BYTES",
      "FORWARD_URL",
      "RETRY_SCHEDULE",
    ]);
    expect(faults.join("\n")).not.toContain("geheim");
    expect(faults.every((fault) => !fault.includes("\n"))).toBe(true);
  });

  it.each([
    ["PORT", ["-1", "65536", "NaN", "3000.0", "3e3", " 3000", "0x10"]],
    ["MAX_BODY_BYTES", ["0", "-1", "1O24kb", "1kb", "26214401", "NaN"]],
    ["REPLAY_WINDOW_SECONDS", ["0", "901", "-300", "5m"]],
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
    ["DATABASE_URL", "sqlite:/abs/x.db", { databaseFile: "/abs/x.db" }],
    ["DATABASE_URL", "sqlite:///abs/x.db", { databaseFile: "/abs/x.db" }],
    ["TRUST_PROXY", "2", { trustProxy: 2 }],
    ["TRUST_PROXY", "10.0.0.0/8, ::1", { trustProxy: ["10.0.0.0/8", "::1"] }],
    ["ATTEMPT_TIMEOUT", "1500ms", { attemptTimeoutMs: 1500 }],
    ["ADMIN_PORT", "0", { adminPort: 0 }],
    ["HOST", "", { host: "0.0.0.0" }],
  ])("takes %s=%s", (name, value, expected) => {
    expect(loadConfig({ HEX_SECRET: SECRET, [name]: value })).toMatchObject(
      expected,
    );
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
      DATABASE_URL: "data/hexhook.db",
    });
  });
});
