import { describe, expect, it } from "@jest/globals";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { loadConfig } from "../../../src/config/load-config.ts";
import type { ConfigError } from "../../../src/errors.ts";
import { describeStore } from "../../../src/store/url.ts";
import { SECRET, SIGNING_KEY } from "../../support/fixtures.ts";
import { selfSigned } from "../../support/self-signed.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const AUTHORITY = selfSigned("authority.test").cert;

const BASE = {
  HEX_SECRET: SECRET,
  AUDIT_SIGNING_KEY: SIGNING_KEY.export({
    format: "pem",
    type: "pkcs8",
  }).toString(),
};

const load = (url: string) => loadConfig({ ...BASE, DATABASE_URL: url });

function errorsOf(env: Record<string, string>): readonly string[] {
  try {
    loadConfig(env);
    return [];
  } catch (error) {
    return (error as ConfigError).errors;
  }
}

const authorityFile = (): string => {
  const file = path.join(temporaryFolder().path, "ca.pem");
  writeFileSync(file, AUTHORITY);
  return file;
};

const WHOLE = {
  driver: "postgres",
  host: "db.internal",
  port: 5432,
  database: "hexhook",
  user: "hexhook",
  password: undefined,
  tls: null,
};

describe("DATABASE_URL", () => {
  it.each([
    ["postgres://hexhook@db.internal/hexhook", {}],
    ["postgresql://hexhook@db.internal/hexhook", {}],
    ["postgres://hexhook:@db.internal/hexhook?sslmode=disable", {}],
    [
      "postgres://a%40b:p%2F%3F%23%25w@[::1]:6543/d%20b",
      {
        user: "a@b",
        password: "p/?#%w",
        host: "::1",
        port: 6543,
        database: "d b",
      },
    ],
    [
      "postgres://hexhook@%2Fvar%2Frun%2Fpostgresql/hexhook",
      { host: "/var/run/postgresql" },
    ],
    [
      "postgres://hexhook@db.internal/hexhook?sslmode=require",
      { tls: { verify: "none", ca: undefined } },
    ],
    [
      "postgres://hexhook@db.internal/hexhook?sslmode=verify-full",
      { tls: { verify: "full", ca: undefined } },
    ],
    [
      "postgres://hexhook@db.internal/hexhook?sslmode=verify-full&sslrootcert=system",
      { tls: { verify: "full", ca: undefined } },
    ],
  ])("is parsed: %s", (url, expected) => {
    expect(load(url).databaseUrl).toEqual({ ...WHOLE, ...expected });
  });

  it("names the certificate of the authority that signed the server's", () => {
    const file = authorityFile();
    for (const [mode, verify] of [
      ["require", "ca"],
      ["verify-ca", "ca"],
      ["verify-full", "full"],
    ]) {
      const url = `postgres://u@h/d?sslmode=${mode}&sslrootcert=${file}`;
      expect(load(url).databaseUrl).toMatchObject({
        tls: { verify, ca: AUTHORITY },
      });
    }
  });

  it.each([
    ["postgres:hexhook", "is not a valid URL"],
    ["postgres://u:S3cr#t@h/d", "is not a valid URL"],
    ["postgres://u:S3cr/t@h/d", "is not a valid URL"],
    ["postgres://u:S3cr%t@h/d", "is not a valid URL"],
    ["postgres://u@h:99999/d", "is not a valid URL"],
    ["postgres://u:123?S3cret@h/d", "has a parameter that is unknown"],
    ["postgres://u@h/d?sslmode=require&sslmode=disable", "a duplicate"],
    ["postgres://u@h/d?sslcert=x", "supported are sslmode and sslrootcert"],
    ["postgres://h/d", "must name a user name"],
    ["postgres:///d", "must name a user name"],
    ["postgres://u:S3cret@h", "must name a database"],
    ["postgres://u:S3cret@h/", "must name a database"],
    ["postgres://u:S3cret@h1,h2/d", "must name one host, not a list"],
    ["postgres://u@h/d?sslmode=prefer", "has an unknown sslmode"],
    ["postgres://u@h/d?sslmode=S3cret", "has an unknown sslmode"],
    ["postgres://u@h/d?sslmode=verify-ca", "without sslrootcert"],
    ["postgres://u@h/d?sslmode=verify-ca&sslrootcert=system", "cannot be read"],
    ["postgres://u@h/d?sslrootcert=ca.pem", "without sslmode=verify-full"],
    [
      "postgres://u@h/d?sslmode=verify-full&sslrootcert=none.pem",
      "has an sslrootcert that names a file that cannot be read (ENOENT)",
    ],
    [
      "postgres://u@h/d?sslmode=verify-full&sslrootcert=package.json",
      "without a PEM certificate",
    ],
    ["postgres://u@%2Ftmp/d?sslmode=verify-full", "a Unix socket has no TLS"],
    ["mysql://u:S3cret@h/d", "must be sqlite:FILE"],
  ])(
    "is rejected with one line that contains no part of it: %s",
    (url, why) => {
      const errors = errorsOf({ ...BASE, DATABASE_URL: url });
      expect(errors).toEqual([expect.stringContaining(why)]);
      expect(errors[0]).toMatch(/^DATABASE_URL: /);
      expect(errors[0]).not.toMatch(/S3cr|none\.pem|package\.json/);
    },
  );

  it("gives a warning if the server is not checked", () => {
    const { warnings } = load("postgres://u@h/d?sslmode=require");
    expect(warnings).toEqual([
      expect.stringMatching(/^DATABASE_URL: sslmode=require .* does not check/),
    ]);
    expect(load("postgres://u@h/d?sslmode=verify-full").warnings).toEqual([]);
  });

  it("is read from a file too, because it may contain a password", () => {
    const file = path.join(temporaryFolder().path, "url");
    writeFileSync(file, "postgres://u:p@h/d\n");
    const config = loadConfig({ ...BASE, DATABASE_URL_FILE: file });
    expect(config.databaseUrl).toMatchObject({ host: "h", password: "p" });
    expect(config.secretFiles).toEqual([file]);
    expect(config.settings).toEqual({});
  });

  it("of PostgreSQL requires AUDIT_SIGNING_KEY, and the error says how to make one", () => {
    expect(
      errorsOf({ HEX_SECRET: SECRET, DATABASE_URL: "postgres://u@h/d" }),
    ).toEqual([
      expect.stringMatching(
        /^AUDIT_SIGNING_KEY: must be set.*`openssl genpkey -algorithm ed25519`/,
      ),
    ]);
  });

  it.each([
    ["sqlite:a/b.db", "a/b.db"],
    ["postgres://u:S3cret@h/d", "h:5432/d"],
    ["postgres://u:S3cret@[::1]:1/d", "[::1]:1/d"],
    ["postgres://u@%2Ftmp/d", "/tmp/.s.PGSQL.5432/d"],
  ])("is described without user and password: %s", (url, text) => {
    expect(describeStore(load(url).databaseUrl)).toBe(text);
  });
});
