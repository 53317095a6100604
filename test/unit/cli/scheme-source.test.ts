import { describe, expect, it } from "@jest/globals";
import { writeFileSync } from "node:fs";
import path from "node:path";
import {
  SCHEME_OPTION_NAMES,
  secretVariableOf,
  sourceOfScheme,
} from "../../../src/cli/scheme-source.ts";
import { ConfigError, UsageError } from "../../../src/errors.ts";
import { SECRET } from "../../support/fixtures.ts";
import { secretFor } from "../../support/scheme-secrets.ts";
import { schemeOf } from "../../../src/signature/schemes.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

describe("the source for --scheme", () => {
  it.each(SCHEME_OPTION_NAMES)("has the secret of its variable: %s", (name) => {
    const { text } = secretFor(schemeOf(name));
    const variable = secretVariableOf(name);
    expect(variable).toMatch(/^[A-Z_]+_SECRET$/);
    const source = sourceOfScheme({ [variable]: text }, name);
    expect(source).toMatchObject({ name, secrets: [{ text, name: variable }] });
    expect(source.scheme).toBe(schemeOf(name));
    expect(sourceOfScheme({}, name).secrets).toEqual([]);
  });

  it("takes the name of an alias for the variable", () => {
    expect(secretVariableOf("clerk")).toBe("CLERK_SECRET");
    expect(secretVariableOf("hex-body")).toBe("HEX_SECRET");
    expect(secretVariableOf("coinbase-commerce")).toBe(
      "COINBASE_COMMERCE_SECRET",
    );
  });

  it("reads the secret from a file, and the token of a handshake", () => {
    const file = path.join(temporaryFolder().path, "secret");
    writeFileSync(file, `${SECRET}\n`);
    const env = { META_SECRET_FILE: file, META_VERIFY_TOKEN: "chosen-token" };
    const { secrets, verifyToken } = sourceOfScheme(env, "meta");
    expect(secrets[0]?.text).toBe(SECRET);
    expect(verifyToken?.text).toBe("chosen-token");
  });

  it("rejects an unknown scheme and a wrong secret, and never shows the secret", () => {
    expect(() => sourceOfScheme({}, "stirpe")).toThrow(
      new UsageError(
        '--scheme: there is no scheme "stirpe"; did you mean stripe?',
      ),
    );
    expect(() => sourceOfScheme({}, "?")).toThrow(/the schemes are hex, /);
    expect(() => sourceOfScheme({}, "token")).toThrow(/HEXHOOK_CONFIG/);
    const quoted = { SLACK_SECRET: `"${SECRET}"` };
    expect(() => sourceOfScheme(quoted, "slack")).toThrow(
      new ConfigError(["SLACK_SECRET: is in quotes; remove them"]),
    );
  });
});
