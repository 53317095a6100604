import { describe, expect, it } from "@jest/globals";
import { readFileSync } from "node:fs";
import { unknownNames } from "../../src/config/environment.ts";
import type { Environment } from "../../src/config/load-config.ts";
import { VARIABLES } from "../../src/config/variables.ts";
import {
  compose,
  deployFile,
  directive,
  manifests,
  podOf,
  seconds,
} from "../support/deploy.ts";
import {
  composeEnv,
  configOf,
  kubernetesEnv,
  sqliteEnv,
  unitEnv,
} from "../support/deploy-config.ts";
import { codeBlock } from "../support/markdown.ts";
import { inProject } from "../support/project.ts";

/** Every deployment: its environment, and how many seconds the platform waits before it kills the process. */
const DEPLOYMENTS: readonly [string, Environment, number][] = [
  [
    "compose.yaml",
    composeEnv,
    seconds(compose().services["hexhook-1"]!.stop_grace_period),
  ],
  [
    "kubernetes/base",
    kubernetesEnv,
    podOf(manifests("base/deployment.yaml")).terminationGracePeriodSeconds,
  ],
  [
    "kubernetes/sqlite",
    sqliteEnv,
    podOf(manifests("base/deployment.yaml")).terminationGracePeriodSeconds,
  ],
  [
    "systemd/hexhook.service",
    unitEnv,
    seconds(directive(deployFile("systemd/hexhook.service"), "TimeoutStopSec")),
  ],
];

describe.each(DEPLOYMENTS)("the deployment in %s", (_name, env, waits) => {
  it("sets only variables that exist", () => {
    const known = Object.entries(VARIABLES).flatMap(([name, definition]) =>
      "secret" in definition ? [name, `${name}_FILE`] : [name],
    );
    expect(
      Object.keys(env).filter(
        (name) => name !== "NODE_ENV" && !known.includes(name),
      ),
    ).toEqual([]);
    expect(unknownNames(env, new Set())).toEqual([]);
  });

  it("has a valid configuration", () => {
    expect(configOf(env).warnings).toEqual([]);
  });

  it("is not killed before the shutdown ends, in which an attempt can end", () => {
    const { drainSeconds, shutdownSeconds } = configOf(env);
    expect(waits).toBeGreaterThanOrEqual(shutdownSeconds + 5);
    expect(shutdownSeconds).toBeGreaterThan(drainSeconds + 5);
  });
});

it("runs commands beside the unit with its settings", () => {
  const scaling = readFileSync(inProject("docs/scaling.md"), "utf8");
  const script = codeBlock(scaling, "sh", "#!/bin/sh");
  const settings = [...script.matchAll(/^(\w+)=([^$\n]+)$/gm)].map(
    ([, name, value]) => [name!, value!] as const,
  );
  // These two come from the EnvironmentFile, and from the file of the credential.
  const elsewhere = ["HEX_SECRET_CREATED_AT", "AUDIT_SIGNING_KEY_FILE"];
  expect(Object.fromEntries(settings)).toEqual(
    Object.fromEntries(
      Object.entries(unitEnv).filter(([name]) => !elsewhere.includes(name)),
    ),
  );
});
