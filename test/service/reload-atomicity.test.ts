import { beforeEach, describe, expect, it } from "@jest/globals";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { loadConfig } from "../../src/config/load-config.ts";
import {
  reply,
  startDestination,
  type TestDestination,
} from "../support/destinations.ts";
import { eventually } from "../support/eventually.ts";
import {
  eventBody,
  OTHER_SECRET,
  SECRET,
  signed,
} from "../support/fixtures.ts";
import { freePort } from "../support/processes.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/* A reload applies all changes, or none of them. */

const PREVIOUS = "previous-signing-secret-0123456789a";
const OLD_TOKEN = "old-admin-token-0123456789abcdef";
const NEW_TOKEN = "new-admin-token-0123456789abcdef";

let folder: string;
let service: TestService;
let given: Record<string, string | undefined>;
let oldDestination: TestDestination;
let newDestination: TestDestination;

beforeEach(async () => {
  folder = temporaryFolder().path;
  oldDestination = await startDestination(reply(204));
  newDestination = await startDestination(reply(204));
  given = {
    HEX_SECRET: SECRET,
    HEX_SECRET_CREATED_AT: new Date().toISOString(),
    HEX_SECRET_PREVIOUS: PREVIOUS,
    HEX_SECRET_PREVIOUS_EXPIRES_AT: "2999-01-01",
    HOST: "127.0.0.1",
    PORT: "0",
    ADMIN_PORT: String(await freePort()),
    ADMIN_TOKEN: OLD_TOKEN,
    DRAIN_SECONDS: "0",
    DATABASE_URL: `sqlite:${path.join(folder, "hexhook.db")}`,
    HANDLERS: file("none.mjs", "export default {};\n"),
    FORWARD_URL: oldDestination.url,
  };
  service = await startTestService(folder, {
    env: given,
    deps: { readConfig: () => loadConfig(given) },
  });
});

function file(name: string, content: string): string {
  const full = path.join(folder, name);
  writeFileSync(full, content);
  return full;
}

let sent = 0;

async function statusWithSecret(
  secret: string,
  scheme: "hex" | "hex-body" = "hex",
): Promise<number> {
  const body = eventBody(`evt_${(sent += 1)}`);
  return (await service.post(body, signed(body, { secret, scheme }))).status;
}

async function statusWithToken(token: string): Promise<number> {
  const response = await fetch(
    `http://127.0.0.1:${service.adminPort}/api/events`,
    { headers: { authorization: `Bearer ${token}` } },
  );
  await response.text();
  return response.status;
}

/** Observes the current configuration as senders, operators and destinations do. */
async function observed() {
  const before = {
    old: oldDestination.attempts.length,
    new: newDestination.attempts.length,
  };
  const secrets = {
    current: await statusWithSecret(SECRET),
    previous: await statusWithSecret(PREVIOUS),
    other: await statusWithSecret(OTHER_SECRET),
  };
  const accepted = Object.values(secrets).filter((one) => one === 200).length;
  const counts = () => ({
    old: oldDestination.attempts.length - before.old,
    new: newDestination.attempts.length - before.new,
  });
  await eventually(() => counts().old + counts().new === accepted);
  return {
    secrets,
    hexBody: await statusWithSecret(SECRET, "hex-body"),
    tokens: {
      old: await statusWithToken(OLD_TOKEN),
      new: await statusWithToken(NEW_TOKEN),
    },
    delivered: counts(),
  };
}

const BEFORE = {
  secrets: { current: 200, previous: 200, other: 401 },
  hexBody: 401,
  tokens: { old: 200, new: 401 },
  delivered: { old: 2, new: 0 },
};

function changeEverything(): void {
  Object.assign(given, {
    HEX_SECRET: OTHER_SECRET,
    HEX_SECRET_PREVIOUS: undefined,
    HEX_SECRET_PREVIOUS_EXPIRES_AT: undefined,
    ADMIN_TOKEN: NEW_TOKEN,
    FORWARD_URL: newDestination.url,
  });
}

describe("a reload", () => {
  it("applies the secrets, the token and the destinations together", async () => {
    expect(await observed()).toEqual(BEFORE);
    changeEverything();
    await service.reload();
    expect(await observed()).toEqual({
      secrets: { current: 401, previous: 401, other: 200 },
      hexBody: 401,
      tokens: { old: 401, new: 200 },
      delivered: { old: 0, new: 1 },
    });
  });

  it.each<[string, () => object]>([
    ["a scheme", () => ({ HEX_SIGNATURE_SCHEME: "none" })],
    ["a token", () => ({ ADMIN_TOKEN: "with space" })],
    ["the current secret", () => ({ HEX_SECRET: "short" })],
    ["the previous secret", () => ({ HEX_SECRET_PREVIOUS: "short" })],
    ["the URL of a destination", () => ({ FORWARD_URL: "ftp://h/" })],
    ["a secret of a destination", () => ({ FORWARD_SECRET: "changeme" })],
    [
      "a variable that a reload does not apply",
      () => ({ MAX_BODY_BYTES: "x" }),
    ],
    [
      "the configuration file",
      () => ({ HEXHOOK_CONFIG: file("bad.yaml", "sources: [") }),
    ],
    [
      "the name of a handler, which is checked last",
      () => ({
        HEXHOOK_CONFIG: file(
          "missing.yaml",
          `destinations: { d: { handler: missing, events: ["*"] } }`,
        ),
      }),
    ],
  ])("changes nothing when there is an error in %s", async (_what, error) => {
    changeEverything();
    Object.assign(given, error());
    await service.reload();
    expect(await observed()).toEqual(BEFORE);
    const entries = await service.entries();
    const failures = entries.filter(
      ({ action, result }) =>
        action.endsWith(".reloaded") && result === "failure",
    );
    expect(failures.length).toBeGreaterThan(0);
    expect(
      entries.filter(
        ({ action, result }) =>
          action.endsWith(".reloaded") && result === "success",
      ),
    ).toEqual([]);
  });

  it("applies everything after the error is fixed", async () => {
    changeEverything();
    given["HEX_SIGNATURE_SCHEME"] = "none";
    await service.reload();
    given["HEX_SIGNATURE_SCHEME"] = "hex";
    await service.reload();
    expect(await observed()).toMatchObject({
      secrets: { current: 401, previous: 401, other: 200 },
      tokens: { old: 401, new: 200 },
      delivered: { old: 0, new: 1 },
    });
  });
});
