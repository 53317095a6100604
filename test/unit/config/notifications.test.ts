import { describe, expect, it } from "@jest/globals";
import {
  type Environment,
  loadConfig,
} from "../../../src/config/load-config.ts";
import type { ConfigError } from "../../../src/errors.ts";
import { OTHER_SECRET, SECRET } from "../../support/fixtures.ts";

const URL = "https://alerts.example.com/hexhook";

const load = (env: Environment) => loadConfig({ HEX_SECRET: SECRET, ...env });

function errorsOf(env: Environment): readonly string[] {
  try {
    load(env);
    return [];
  } catch (error) {
    return (error as ConfigError).errors;
  }
}

describe("NOTIFY_URL and NOTIFY_SECRET", () => {
  it("are off by default", () => {
    expect(load({}).notify).toBeNull();
  });

  it("set where notifications go and what signs them", () => {
    const { notify, warnings } = load({
      NOTIFY_URL: URL,
      NOTIFY_SECRET: OTHER_SECRET,
    });
    expect(notify).toEqual({ url: URL, secret: OTHER_SECRET });
    expect(warnings.filter((one) => one.startsWith("NOTIFY"))).toEqual([]);
  });

  it.each<[Environment, RegExp]>([
    [{ NOTIFY_URL: URL }, /^NOTIFY_URL: notifications are not signed/],
    [{ NOTIFY_SECRET: OTHER_SECRET }, /^NOTIFY_SECRET: is ignored/],
  ])("have a warning if one of them is missing: %j", (env, warning) => {
    expect(load(env).warnings).toContainEqual(expect.stringMatching(warning));
  });

  it.each<[Environment, RegExp]>([
    [{ NOTIFY_URL: "ftp://example.com" }, /^NOTIFY_URL: /],
    [{ NOTIFY_URL: URL, NOTIFY_SECRET: "short" }, /^NOTIFY_SECRET: /],
    [
      { NOTIFY_URL: URL, NOTIFY_SECRET: SECRET },
      /^NOTIFY_SECRET: is also a signing secret of source hex/,
    ],
  ])("have an error that does not show the secret: %j", (env, error) => {
    const errors = errorsOf(env);
    expect(errors).toEqual([expect.stringMatching(error)]);
    expect(errors.join()).not.toContain(SECRET);
  });
});
