import { beforeEach, expect, it } from "@jest/globals";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { type Environment, loadConfig } from "../../src/config/load-config.ts";
import { keyIdOf } from "../../src/domain/key-id.ts";
import type { Source } from "../../src/domain/source.ts";
import { signRequest } from "../../src/signature/sign.ts";
import { OTHER_SECRET, SECRET } from "../support/fixtures.ts";
import { hexhook } from "../support/hexhook.ts";
import { startTestService } from "../support/service.ts";
import { storeFileIn } from "../support/service-store.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const STRIPE = "whsec_e5b1c0ffee-stripe-0001";
const STRIPE_NEW = "whsec_e5b1c0ffee-stripe-0002";
const GITHUB = "e5b1c0ffee-github-0001";
const TODAY = new Date().toISOString();

let folder: ReturnType<typeof temporaryFolder>;

beforeEach(() => {
  folder = temporaryFolder();
});

/** Starts a service with a configuration file that the test can replace. */
async function start(content: string, secrets: Environment) {
  const file = path.join(folder.path, "hexhook.yaml");
  const given: Record<string, string | undefined> = {
    ...secrets,
    HEX_SECRET: undefined,
    HEX_SECRET_CREATED_AT: undefined,
    HEXHOOK_CONFIG: file,
  };
  writeFileSync(file, content);
  const service = await startTestService(folder.path, {
    env: given,
    deps: {
      readConfig: () =>
        loadConfig({
          HOST: "127.0.0.1",
          PORT: "0",
          ADMIN_PORT: "0",
          DRAIN_SECONDS: "0",
          DATABASE_URL: `sqlite:${storeFileIn(folder.path)}`,
          ...given,
        }),
    },
  });
  let sent = 0;
  return {
    service,
    reload: (next: string, changed: Environment = {}) => {
      Object.assign(given, changed);
      writeFileSync(file, next);
      return service.reload();
    },
    /** Sends a new event to a source as the given one signs it, and returns the status. */
    deliver: async (
      name: string,
      as: Pick<Source, "scheme" | "secrets" | "publicUrl">,
    ) => {
      const { headers, body } = signRequest(as, {
        body: Buffer.from(
          JSON.stringify({ id: `evt_${(sent += 1)}`, type: "a.b" }),
        ),
        contentType: "application/json",
        id: `id-${sent}`,
        type: "a.b",
        at: Date.now(),
        url: `/webhooks/${name}`,
      });
      return (await service.post(body, { ...headers }, `/webhooks/${name}`))
        .status;
    },
  };
}

const fileOf = (sources: string): string => `sources:\n${sources}\n`;
const STRIPE_SOURCE = `  stripe: { scheme: stripe, secrets: [ { env: STRIPE, createdAt: "${TODAY}" } ] }`;
const GITHUB_SOURCE = `  github: { scheme: github, secrets: [ { env: GITHUB, createdAt: "${TODAY}" } ] }`;

it("adds, changes and removes sources at a reload, and rotates their secrets", async () => {
  const { service, reload, deliver } = await start(
    fileOf(`${STRIPE_SOURCE}\n${GITHUB_SOURCE}`),
    { STRIPE, GITHUB },
  );
  const [stripe, github] = service.config.sources as [Source, Source];
  expect(await deliver("stripe", stripe)).toBe(200);
  expect(await deliver("github", github)).toBe(200);
  expect(await deliver("github", stripe)).toBe(401);
  expect(await deliver("hex", stripe)).toBe(404);

  // Stripe gets a new secret, github other settings, and hex is added.
  await reload(
    fileOf(`  stripe: { scheme: stripe, secrets: [ { env: STRIPE_NEW }, { env: STRIPE, expiresAt: 2099-01-01 } ] }
  github: { scheme: github, secrets: [ { env: GITHUB } ], disabled: true }
  hex: { scheme: hex, secrets: [ { env: HEX_SECRET } ] }`),
    { STRIPE_NEW, HEX_SECRET: SECRET },
  );
  expect(await deliver("stripe", stripe)).toBe(200);
  expect(await deliver("github", github)).toBe(404);
  const body = Buffer.from('{"id":"evt_hex","type":"a.b"}');
  expect((await service.post(body)).status).toBe(200);

  // An error keeps all of it.
  await reload(
    fileOf("  stripe: { scheme: strip, secrets: [ { env: STRIPE } ] }"),
  );
  expect(await deliver("stripe", stripe)).toBe(200);

  // Github is removed, and with it its secrets.
  await reload(
    fileOf("  stripe: { scheme: stripe, secrets: [ { env: STRIPE_NEW } ] }"),
  );
  expect(await deliver("stripe", stripe)).toBe(401);
  expect(await deliver("github", github)).toBe(404);

  const entries = await service.entries();
  const reloads = entries
    .filter(({ action }) => /reloaded$/.test(action))
    .map(({ action, resource, result, metadata }) => ({
      action,
      resource,
      result,
      changed: metadata["changed"],
      ...(metadata["keyIds"] === undefined
        ? {}
        : { keyIds: metadata["keyIds"] }),
    }));
  const secret = (name: string, changed: boolean, ...secrets: string[]) => ({
    action: "secret.reloaded",
    resource: `/webhooks/${name}`,
    result: "success",
    changed,
    keyIds: secrets.map(keyIdOf),
  });
  const config = (changed: string[] | undefined, result = "success") => ({
    action: "config.reloaded",
    resource: "/config",
    result,
    changed,
  });
  expect(reloads).toEqual([
    secret("stripe", true, STRIPE_NEW, STRIPE),
    // The date of its secret is missing now.
    secret("github", true, GITHUB),
    secret("hex", true, SECRET),
    config(["sources.github", "sources.hex", "destinations.handler:*"]),
    config(undefined, "failure"),
    secret("stripe", true, STRIPE_NEW),
    secret("github", true),
    secret("hex", true),
    config(["sources.github", "sources.hex", "destinations.handler:*"]),
  ]);
  expect(entries[0]!.metadata["sources"]).toEqual([
    { name: "stripe", scheme: "stripe", keyIds: [keyIdOf(STRIPE)] },
    { name: "github", scheme: "github", keyIds: [keyIdOf(GITHUB)] },
  ]);
  expect(JSON.stringify(entries)).not.toContain("c0ffee");
});

it("names as many of 200 sources as fit into the entry of the start", async () => {
  const names = Array.from({ length: 200 }, (_, n) => `source-${n}`);
  const { service } = await start(
    fileOf(
      names
        .map(
          (name) =>
            `  ${name}: { scheme: github, secrets: [ { env: GITHUB } ] }`,
        )
        .join("\n"),
    ),
    { GITHUB },
  );
  const [started] = await service.entries();
  expect(JSON.stringify(started).length).toBeLessThanOrEqual(8192);
  const listed = started!.metadata["sources"] as object[];
  expect(listed.length).toBeGreaterThan(20);
  expect(started!.metadata["sourcesOmitted"]).toBe(200 - listed.length);
  expect(service.config.sources[0]!.sharesSecretWith).toHaveLength(199);
});

it("is checked by config check and doctor, with the age of its secrets", async () => {
  const file = path.join(folder.path, "hexhook.yaml");
  writeFileSync(
    file,
    fileOf(`${STRIPE_SOURCE}
  ${GITHUB_SOURCE.trim()}
  mail: { scheme: mailgun, secrets: [ { env: OTHER, createdAt: "${TODAY}" } ] }
  bot: { scheme: discord, secrets: [ { env: DISCORD } ] }`),
  );
  const env = {
    HEXHOOK_CONFIG: file,
    HEX_SECRET: undefined,
    STRIPE,
    GITHUB,
    OTHER: OTHER_SECRET,
    DISCORD: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
  };
  const options = { cwd: folder.path, env };
  const checked = await hexhook(["config", "check", "--json"], options);
  expect(checked.stderr).toBe("");
  expect(JSON.parse(checked.stdout)).toMatchObject({
    ok: true,
    sources: [
      { name: "stripe", scheme: "stripe", secrets: 1, disabled: false },
      { name: "github" },
      { name: "mail" },
      { name: "bot" },
    ],
    destinations: ["handler:*"],
    warnings: [],
  });

  const secrets = await hexhook(["secrets", "check", "--json"], options);
  // A public key has no age, so its missing date is no error.
  expect(secrets.code).toBe(0);
  const ages = secrets.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { source: string; age: string | null });
  expect(ages.map(({ source, age }) => [source, age])).toEqual([
    ["stripe", "fresh"],
    ["github", "fresh"],
    ["mail", "fresh"],
    ["bot", null],
  ]);

  const doctor = await hexhook(["doctor", "--json"], options);
  const signatures = doctor.stdout
    .split("\n")
    .find((line) => line.includes('"signatures_validated"'));
  expect(JSON.parse(signatures ?? "{}")).toMatchObject({
    status: "pass",
    details: [
      expect.stringContaining("source stripe, scheme stripe"),
      expect.stringContaining("source github, scheme github"),
      expect.stringContaining("source mail, scheme mailgun"),
      expect.stringContaining("source bot, scheme discord"),
    ],
  });

  writeFileSync(file, fileOf("  a: { scheme: githb }"));
  const wrong = await hexhook(["config", "check"], options);
  expect(wrong.code).toBe(78);
  expect(wrong.stderr).toContain(
    "HEXHOOK_CONFIG: sources.a.scheme: is not a known scheme; did you mean github?\n",
  );
  const json = await hexhook(["config", "check", "--json"], options);
  expect(json).toMatchObject({ code: 78, stderr: wrong.stderr });
  expect(JSON.parse(json.stdout)).toEqual({
    ok: false,
    errors: expect.arrayContaining([
      "HEXHOOK_CONFIG: sources.a.scheme: is not a known scheme; did you mean github?",
    ]),
  });
});
