import { beforeEach, describe, expect, it } from "@jest/globals";
import { spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import {
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Environment, loadConfig } from "../../src/config/load-config.ts";
import { type VariableName, VARIABLES } from "../../src/config/variables.ts";
import { keyIdOf } from "../../src/domain/key-id.ts";
import {
  reply,
  startDestination,
  type TestDestination,
} from "../support/destinations.ts";
import {
  eventBody,
  OTHER_SECRET,
  SECRET,
  signed,
} from "../support/fixtures.ts";
import { eventually } from "../support/eventually.ts";
import { manualTime } from "../support/manual-time.ts";
import { startHexApi } from "../support/hex-api.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { hexhook } from "../support/hexhook.ts";
import { CLI, environment, freePort, serve } from "../support/processes.ts";

const THIRD_SECRET = "third-signing-secret-0123456789abcdef";

let folder: ReturnType<typeof temporaryFolder>;
let service: TestService | null = null;
let running: Awaited<ReturnType<typeof serve>> | null = null;

beforeEach(() => {
  folder = temporaryFolder();
});

const inFolder = (name: string): string => path.join(folder.path, name);

function write(name: string, content: string): string {
  writeFileSync(inFolder(name), content);
  return inFolder(name);
}

/** Starts a service in this process whose environment can be changed, like `.env`. `reads` counts the reloads. */
async function start(env: Environment, now?: () => number) {
  const given: Record<string, string | undefined> = { ...env };
  const fixed = {
    HOST: "127.0.0.1",
    PORT: "0",
    ADMIN_PORT: "0",
    DRAIN_SECONDS: "0",
    HEX_SECRET_CREATED_AT: new Date().toISOString(),
    DATABASE_URL: `sqlite:${inFolder("hexhook.db")}`,
  };
  let reads = 0;
  service = await startTestService(folder.path, {
    env: { HEX_SECRET: undefined, ...fixed, ...given },
    deps: {
      readConfig: () => {
        reads += 1;
        return loadConfig({ ...fixed, ...given });
      },
      intervals: { fileWatch: 20 },
      ...(now === undefined ? {} : { now }),
    },
  });
  return { service, given, reads: () => reads };
}

/** Starts a service and waits for its first poll of files. A change during that poll would be reported twice. */
async function startWatching(env: Environment) {
  const { reads } = await start(env);
  await eventually(() => reads() === 1);
}

let events = 0;
/** Sends a valid request that is signed with a secret, and returns its status. */
async function statusWithSecret(secret: string, at?: number): Promise<number> {
  const body = eventBody(`evt_${(events += 1)}`);
  const options = at === undefined ? { secret } : { secret, at };
  return (await service!.post(body, signed(body, options))).status;
}

const reloads = async (action = "secret.reloaded") =>
  (await service!.entries()).filter((entry) => entry.action === action);

describe("a rotation", () => {
  it("rejects no valid request at 300 requests a second while senders switch, and rejects the old secret after its expiry", async () => {
    const dotenv = (expiresAt: number) =>
      write(
        ".env",
        `HEX_SECRET=${OTHER_SECRET}\nHEX_SECRET_PREVIOUS=${SECRET}\nHEX_SECRET_PREVIOUS_EXPIRES_AT=${new Date(expiresAt).toISOString()}\n`,
      );
    write(".env", `HEX_SECRET=${SECRET}\n`);
    running = await serve(folder.path, {
      HEX_SECRET: undefined,
      AUDIT_STDOUT: "off",
    });
    const { post, child, stderr } = running;
    let secret = SECRET;
    let sent = 0;
    const load = { on: true };
    const rejected: string[] = [];
    const pending = new Set<Promise<void>>();
    async function deliver(key: string): Promise<number> {
      const body = eventBody(`evt_${(sent += 1)}`);
      const answer = await post(body, signed(body, { secret: key }));
      await answer.arrayBuffer();
      return answer.status;
    }
    const loading = (async () => {
      while (load.on) {
        for (let n = 0; n < 3; n += 1) {
          const one = deliver(secret).then((status) => {
            if (status !== 200) {
              rejected.push(`${sent}: ${status}`);
            }
          });
          pending.add(one);
          void one.finally(() => pending.delete(one));
        }
        await delay(10);
      }
      await Promise.all(pending);
    })();
    const sentMore = (count: number) => {
      const from = sent;
      return eventually(() => sent >= from + count);
    };

    await sentMore(300);
    // The receiver switches first, then the senders.
    dotenv(Date.now() + 3_600_000);
    child.kill("SIGHUP");
    await eventually(() => stderr().includes('"changed":true'));
    await sentMore(150);
    secret = OTHER_SECRET;
    await sentMore(300);
    child.kill("SIGHUP");
    await sentMore(150);
    expect(await deliver(SECRET)).toBe(200);
    dotenv(Date.now());
    child.kill("SIGHUP");
    await eventually(async () => (await deliver(SECRET)) === 401);
    await sentMore(150);
    load.on = false;
    await loading;
    expect(rejected).toEqual([]);
    expect(sent).toBeGreaterThan(1000);
    await running.stop();
    expect(stderr()).not.toContain(SECRET);
  });

  it("reads a secret file again when a symbolic link is swapped, as Kubernetes does", async () => {
    const version = (name: string, secret: string): void => {
      mkdirSync(inFolder(name));
      writeFileSync(inFolder(`${name}/secret`), secret);
    };
    version("..2026_01", SECRET);
    symlinkSync("..2026_01", inFolder("..data"));
    symlinkSync("..data/secret", inFolder("secret"));
    await start({ HEX_SECRET_FILE: inFolder("secret") });
    expect(await statusWithSecret(SECRET)).toBe(200);

    version("..2026_02", OTHER_SECRET);
    symlinkSync("..2026_02", inFolder("..data_tmp"));
    renameSync(inFolder("..data_tmp"), inFolder("..data"));
    await eventually(async () => (await reloads()).length === 1);
    expect(await statusWithSecret(OTHER_SECRET)).toBe(200);
    expect(await statusWithSecret(SECRET)).toBe(401);
    expect((await reloads())[0]).toMatchObject({
      userId: "system",
      resource: "/webhooks/hex",
      result: "success",
      metadata: {
        trigger: "file",
        changed: true,
        source: "hex",
        keyIds: [keyIdOf(OTHER_SECRET)],
      },
    });
  });

  it.each([
    ["short", "short"],
    ["empty", ""],
    ["a placeholder", "changeme-changeme-changeme-changeme"],
    ["in quotes", `"${OTHER_SECRET}"`],
  ])(
    "keeps the old secret with an audit entry when the new one is %s, and applies a valid one later",
    async (_what, bad) => {
      const file = write("secret", `${SECRET}\n`);
      await startWatching({ HEX_SECRET_FILE: file });
      write("secret", bad);
      await eventually(async () => (await reloads()).length === 1);
      expect(await statusWithSecret(SECRET)).toBe(200);
      expect((await reloads())[0]).toMatchObject({
        result: "failure",
        metadata: {
          trigger: "file",
          errors: [expect.stringMatching(/^HEX_SECRET_FILE: /)],
        },
      });
      write("secret", `${OTHER_SECRET}\n`);
      await eventually(
        async () => (await statusWithSecret(OTHER_SECRET)) === 200,
      );
      expect((await reloads()).map(({ result }) => result)).toEqual([
        "failure",
        "success",
      ]);
    },
  );

  it("keeps the old secret while its file is missing, and reports that once", async () => {
    const file = write("secret", SECRET);
    await startWatching({ HEX_SECRET_FILE: file });
    rmSync(file);
    await eventually(async () => (await reloads()).length === 1);
    expect(await statusWithSecret(SECRET)).toBe(200);
    write("secret", OTHER_SECRET);
    await eventually(
      async () => (await statusWithSecret(OTHER_SECRET)) === 200,
    );
    expect(await reloads()).toHaveLength(2);
  });

  it("accepts the previous secret until it expires, and records which secret was used", async () => {
    const end = Date.now() + 60_000;
    let clock = Date.now();
    await start(
      {
        HEX_SECRET: OTHER_SECRET,
        HEX_SECRET_PREVIOUS: SECRET,
        HEX_SECRET_PREVIOUS_EXPIRES_AT: new Date(end).toISOString(),
      },
      () => clock,
    );
    expect(await statusWithSecret(SECRET, clock)).toBe(200);
    const { metadata } = (await service!.lastEntry())!;
    expect(metadata).toMatchObject({ keyId: keyIdOf(SECRET) });
    clock = end;
    expect(await statusWithSecret(SECRET, clock)).toBe(401);
    expect(await statusWithSecret(OTHER_SECRET, clock)).toBe(200);
  });
});

describe("SIGHUP", () => {
  it("writes entries about secrets and configuration even if nothing has changed", async () => {
    await start({ HEX_SECRET: SECRET });
    await service!.reload();
    expect(await reloads()).toMatchObject([
      {
        metadata: {
          trigger: "SIGHUP",
          changed: false,
          keyIds: [keyIdOf(SECRET)],
        },
      },
    ]);
    expect(await reloads("config.reloaded")).toMatchObject([
      {
        result: "success",
        metadata: { trigger: "SIGHUP", changed: [], pending: [] },
      },
    ]);
  });

  it("lists the applied variables and those that need a restart", async () => {
    const { given } = await start({ HEX_SECRET: SECRET });
    given["HEX_SCOPES"] = "read:health";
    given["KEEP_ALIVE_SECONDS"] = "60";
    given["MAX_BODY_BYTES"] = "10";
    await service!.reload();
    expect(await reloads("config.reloaded")).toMatchObject([
      {
        metadata: {
          changed: ["HEX_SCOPES", "MAX_BODY_BYTES", "sources.hex"],
          pending: ["KEEP_ALIVE_SECONDS"],
        },
      },
    ]);
    expect((await service!.post(eventBody("evt_large"))).status).toBe(413);
  });

  it("applies Hex API keys and the admin token, and records their key ids", async () => {
    const [oldToken, newToken] = [
      "a".repeat(20) + "1234",
      "b".repeat(20) + "5678",
    ];
    const api = await startHexApi();
    const { given } = await start({
      HEX_SECRET: SECRET,
      ADMIN_PORT: String(await freePort()),
      ADMIN_TOKEN: oldToken,
      HEX_API_URL: api.url,
      HEX_READ_KEY: "read-key-0123456789",
      HANDLERS: write(
        "reads.mjs",
        `export default { "*": async (_event, { hex }) => { await hex.reader.health(); } };`,
      ),
    });
    const statusWith = async (token: string): Promise<number> => {
      const response = await fetch(
        `http://127.0.0.1:${service!.adminPort}/api/events`,
        { headers: { authorization: `Bearer ${token}` } },
      );
      await response.text();
      return response.status;
    };
    /** Returns the key of the next call. */
    const keyInUse = async (): Promise<string | undefined> => {
      const before = api.calls.length;
      expect(await statusWithSecret(SECRET)).toBe(200);
      await eventually(() => api.calls.length > before);
      return api.calls.at(-1)?.key;
    };
    expect(await statusWith(oldToken)).toBe(200);
    expect(await statusWith(newToken)).toBe(401);
    expect(await keyInUse()).toBe("Bearer read-key-0123456789");
    given["ADMIN_TOKEN"] = newToken;
    given["HEX_READ_KEY"] = "read-key-9876543210";
    await service!.reload();
    expect(await statusWith(newToken)).toBe(200);
    expect(await statusWith(oldToken)).toBe(401);
    expect(await keyInUse()).toBe("Bearer read-key-9876543210");
    const facts = (await reloads()).map(({ metadata }) => metadata);
    expect(facts).toContainEqual(
      expect.objectContaining({
        variable: "HEX_READ_KEY",
        keyId: keyIdOf("read-key-9876543210"),
      }),
    );
    expect(facts).toContainEqual(
      expect.objectContaining({
        variable: "ADMIN_TOKEN",
        keyId: keyIdOf(newToken),
      }),
    );
  });

  it("applies the onReplay default of a new scheme, unless the source sets one", async () => {
    const { given } = await start({ HEX_SECRET: SECRET });
    const replay = async (scheme: string) => {
      const body = eventBody(`evt_${(events += 1)}`);
      const headers = signed(body, { scheme });
      expect((await service!.post(body, headers)).status).toBe(200);
      const { status } = await service!.post(body, headers);
      return status;
    };
    expect(await replay("hex")).toBe(409);
    given["HEX_SIGNATURE_SCHEME"] = "hex-body";
    await service!.reload();
    expect(await replay("hex-body")).toBe(200);
    given["HEXHOOK_CONFIG"] = write(
      "hexhook.yaml",
      "sources: { hex: { onReplay: reject } }\n",
    );
    await service!.reload();
    expect(await replay("hex-body")).toBe(409);
    given["HEXHOOK_CONFIG"] = "";
    given["HEX_SIGNATURE_SCHEME"] = "hex";
    await service!.reload();
    expect(await replay("hex")).toBe(409);
    const changes = (await reloads("config.reloaded")).map(
      ({ metadata }) => metadata["changed"],
    );
    expect(changes).toEqual([
      ["HEX_SIGNATURE_SCHEME", "sources.hex"],
      ["HEXHOOK_CONFIG", "sources.hex"],
      ["HEX_SIGNATURE_SCHEME", "HEXHOOK_CONFIG", "sources.hex"],
    ]);
  });

  it("applies nothing when one variable is wrong", async () => {
    const { given } = await start({ HEX_SECRET: SECRET });
    given["HEX_SECRET"] = OTHER_SECRET;
    given["HEX_SIGNATURE_SCHEME"] = "none";
    await service!.reload();
    expect(await statusWithSecret(SECRET)).toBe(200);
    expect(await statusWithSecret(OTHER_SECRET)).toBe(401);
    expect(await reloads("config.reloaded")).toMatchObject([
      {
        result: "failure",
        metadata: {
          errors: [expect.stringMatching(/^HEX_SIGNATURE_SCHEME: /)],
        },
      },
    ]);
  });
});

describe("a reload", () => {
  /** A different value for each variable. */
  const OTHERS: Readonly<Record<VariableName, string>> = {
    HOST: "127.0.0.2",
    PORT: "3456",
    ADMIN_HOST: "127.0.0.2",
    ADMIN_PORT: "3457",
    ADMIN_TOKEN: "a-token-of-the-api-0123456789abc",
    PUBLIC_URL: "https://hooks.example.com",
    DATABASE_URL: "sqlite:other.db",
    DATABASE_POOL: "20",
    HEX_SECRET: OTHER_SECRET,
    HEX_SECRET_CREATED_AT: "2026-01-01",
    HEX_SECRET_PREVIOUS: THIRD_SECRET,
    HEX_SECRET_PREVIOUS_EXPIRES_AT: "2099-01-01",
    HEX_SIGNATURE_SCHEME: "hex-body",
    HEX_API_URL: "https://api.example.com",
    HEX_API_KEY: "api-key-0123456789abcdef",
    HEX_READ_KEY: "read-key-0123456789abcdef",
    HEX_WRITE_KEY: "write-key-0123456789abcdef",
    HEXHOOK_ENV: "staging",
    HEX_SCOPES: "read:health",
    HEX_REQUIRED_SCOPES: "read:health",
    REPLAY_WINDOW_SECONDS: "60",
    EVENT_RETENTION_DAYS: "10",
    AUDIT_RETENTION_DAYS: "10",
    MAX_BODY_BYTES: "1000",
    FORWARD_URL: "http://127.0.0.1:8/",
    FORWARD_SECRET: "a-secret-to-forward-with-0123456789",
    NOTIFY_URL: "https://alerts.example.com/hexhook",
    NOTIFY_SECRET: "a-secret-of-notifications-0123456",
    HANDLERS: "other.mjs",
    RETRY_SCHEDULE: "1s",
    ATTEMPT_TIMEOUT: "1s",
    TRUST_PROXY: "1",
    AUDIT_STDOUT: "json",
    AUDIT_FILE: "audit.log",
    AUDIT_UNVERIFIED_MB_PER_DAY: "1",
    AUDIT_ANCHOR_FILE: "anchors.log",
    AUDIT_SIGNING_KEY: generateKeyPairSync("ed25519")
      .privateKey.export({ type: "pkcs8", format: "pem" })
      .toString(),
    AUDIT_ANALYTICS: "on",
    LOG_LEVEL: "debug",
    LOG_FORMAT: "pretty",
    MAX_CONNECTIONS: "1000",
    KEEP_ALIVE_SECONDS: "10",
    DRAIN_SECONDS: "1",
    SHUTDOWN_SECONDS: "10",
    HEXHOOK_CONFIG: "empty.yaml",
  };

  it("applies the variables that are marked reload, and lists the others as pending", async () => {
    const file = write("empty.yaml", "{}");
    const { given } = await start({
      HEX_SECRET: SECRET,
      HEX_WRITE_KEY: "write-key-of-the-start-0123456789",
      AUDIT_ANALYTICS: "off",
      FORWARD_URL: "http://127.0.0.1:9/",
      NOTIFY_URL: "http://127.0.0.1:9/",
    });
    const before = { ...given };
    for (const [name, value] of Object.entries(OTHERS)) {
      given[name] = name === "HEXHOOK_CONFIG" ? file : value;
      const known = (await service!.entries()).length;
      await service!.reload();
      const news = (await service!.entries()).slice(known);
      const configEntry = news.find(
        ({ action }) => action === "config.reloaded",
      );
      const row: { kind: unknown; reload?: true } =
        VARIABLES[name as VariableName];
      const secrets = news.filter(
        ({ action, metadata }) =>
          action === "secret.reloaded" && metadata["changed"] === true,
      );
      expect([
        name,
        configEntry?.result,
        configEntry?.metadata["pending"],
      ]).toEqual([name, "success", row.reload ? [] : [name]]);
      expect([
        name,
        secrets.length > 0 ||
          (configEntry?.metadata["changed"] as string[]).includes(name),
      ]).toEqual([name, row.reload === true]);
      if (before[name] === undefined) {
        Reflect.deleteProperty(given, name);
      } else {
        given[name] = before[name];
      }
      await service!.reload();
    }
  });

  it("lists a variable as pending while it differs from the running configuration", async () => {
    const { given } = await start({ HEX_SECRET: SECRET });
    const pending = async (): Promise<unknown> => {
      await service!.reload();
      const entries = await service!.entries();
      return entries.findLast(({ action }) => action === "config.reloaded")
        ?.metadata["pending"];
    };
    given["RETRY_SCHEDULE"] = "1s";
    expect(await pending()).toEqual(["RETRY_SCHEDULE"]);
    given["FORWARD_URL"] = "http://127.0.0.1:9/";
    expect(await pending()).toEqual(["RETRY_SCHEDULE"]);
    delete given["RETRY_SCHEDULE"];
    expect(await pending()).toEqual([]);
  });

  it("keeps the handlers module of the startup when HANDLERS changes", async () => {
    const file = write(
      "hexhook.yaml",
      `sources: { hex: { secrets: [ { env: HEX_SECRET } ], destinations: [ ] } }
`,
    );
    const { given } = await start({
      HEX_SECRET: SECRET,
      HEXHOOK_CONFIG: file,
      HANDLERS: write("mine.mjs", `export default { "*": () => undefined };`),
    });
    const deliveriesOf = async (id: string): Promise<unknown> => {
      const body = eventBody(id);
      expect((await service!.post(body, signed(body))).status).toBe(200);
      const entries = await service!.entries();
      return entries.find(({ metadata }) => metadata["eventId"] === id)
        ?.metadata["deliveries"];
    };
    expect(await deliveriesOf("evt_1")).toBe(1);
    delete given["HANDLERS"];
    await service!.reload();
    expect(await deliveriesOf("evt_2")).toBe(1);
  });
});

describe("a reload of the configuration file", () => {
  const destination = (): Promise<TestDestination> =>
    startDestination(reply(200));

  it("adds, changes and removes destinations while deliveries continue", async () => {
    const [first, second, third] = [
      await destination(),
      await destination(),
      await destination(),
    ];
    const yaml = (list: Record<string, TestDestination>) =>
      write(
        "hexhook.yaml",
        `destinations:\n${Object.entries(list)
          .map(([name, { url }]) => `  ${name}: { url: "${url}" }\n`)
          .join("")}`,
      );
    await start({
      HEX_SECRET: SECRET,
      HEXHOOK_CONFIG: yaml({ billing: first, mirror: second }),
    });
    await statusWithSecret(SECRET);
    await eventually(
      () => first.attempts.length === 1 && second.attempts.length === 1,
    );

    yaml({ billing: third, ci: first });
    await service!.reload();
    expect(await reloads("config.reloaded")).toMatchObject([
      {
        result: "success",
        metadata: {
          changed: expect.arrayContaining([
            "destinations.billing",
            "destinations.mirror",
            "destinations.ci",
          ]),
        },
      },
    ]);
    await statusWithSecret(SECRET);
    await eventually(
      () => third.attempts.length === 1 && first.attempts.length === 2,
    );
    expect(second.attempts).toHaveLength(1);
  });

  it("waits for the attempt in flight at a changed destination before it delivers to the new one", async () => {
    const [old, fresh] = [await destination(), await destination()];
    const yaml = (one: TestDestination) =>
      write(
        "hexhook.yaml",
        `destinations: { billing: { url: "${one.url}", concurrency: 1 } }\n`,
      );
    let finish = (): void => undefined;
    old.answer((res) => {
      finish = () => res.end();
    });
    await start({ HEX_SECRET: SECRET, HEXHOOK_CONFIG: yaml(old) });
    await statusWithSecret(SECRET);
    await eventually(() => old.attempts.length === 1);
    yaml(fresh);
    await service!.reload();
    await statusWithSecret(SECRET);
    expect(fresh.attempts).toHaveLength(0);
    finish();
    await eventually(() => fresh.attempts.length === 1);
    await eventually(async () => {
      const delivered = await reloads("delivery.succeeded");
      const there = delivered.filter(
        ({ resource }) => resource === "/destinations/billing",
      );
      return there.length === 2;
    });
  });

  it("waits for that attempt also if the destination is changed twice, or removed and added again", async () => {
    const [old, second, third, other] = [
      await destination(),
      await destination(),
      await destination(),
      await destination(),
    ];
    const yaml = (one: TestDestination | null) =>
      write(
        "hexhook.yaml",
        `destinations: { other: { url: "${other.url}" }${
          one === null ? "" : `, billing: { url: "${one.url}", concurrency: 1 }`
        } }\n`,
      );
    let finish = (): void => undefined;
    old.answer((res) => {
      finish = () => res.end();
    });
    await start({ HEX_SECRET: SECRET, HEXHOOK_CONFIG: yaml(old) });
    await statusWithSecret(SECRET);
    await eventually(() => old.attempts.length === 1);
    for (const next of [second, null, third]) {
      yaml(next);
      await service!.reload();
      await statusWithSecret(SECRET);
    }
    await eventually(() => other.attempts.length === 4);
    expect([second.attempts.length, third.attempts.length]).toEqual([0, 0]);
    finish();
    await eventually(() => third.attempts.length === 2);
    expect(second.attempts).toHaveLength(0);
  });

  it("keeps the current configuration when the file is broken or a handler is missing", async () => {
    const one = await destination();
    const good = `destinations: { billing: { url: "${one.url}" } }\n`;
    const file = write("hexhook.yaml", good);
    await start({ HEX_SECRET: SECRET, HEXHOOK_CONFIG: file });
    for (const broken of [
      "destinations: {",
      "destinations: { billing: { handler: missing } }",
    ]) {
      write("hexhook.yaml", broken);
      await service!.reload();
      const last = (await reloads("config.reloaded")).at(-1);
      expect(last).toMatchObject({ result: "failure" });
    }
    await statusWithSecret(SECRET);
    await eventually(() => one.attempts.length === 1);
  });

  it("changes the scheme and the secrets of the source", async () => {
    const file = write("secret", OTHER_SECRET);
    const yaml = write("hexhook.yaml", "sources: { hex: { scheme: hex } }\n");
    await start({ HEX_SECRET: SECRET, HEXHOOK_CONFIG: yaml });
    write(
      "hexhook.yaml",
      `sources: { hex: { scheme: hex-body, secrets: [{ file: "${file}" }] } }\n`,
    );
    await service!.reload();
    const body = eventBody("evt_body");
    const headers = signed(body, { secret: OTHER_SECRET, scheme: "hex-body" });
    expect((await service!.post(body, headers)).status).toBe(200);
    expect(await statusWithSecret(OTHER_SECRET)).toBe(401);
    // The file of the new configuration is watched now.
    writeFileSync(file, THIRD_SECRET);
    const next = eventBody("evt_next");
    const nextHeaders = signed(next, {
      secret: THIRD_SECRET,
      scheme: "hex-body",
    });
    await eventually(
      async () => (await service!.post(next, nextHeaders)).status === 200,
    );
  });
});

describe("the age of a signing secret", () => {
  const DAY = 86_400_000;
  const daysAgo = (days: number): string =>
    new Date(Date.now() - days * DAY).toISOString();
  const overdue = () => reloads("secret.overdue");

  it.each([
    ["fresh", daysAgo(74), 0, false],
    ["due", daysAgo(75), 0, true],
    ["overdue", daysAgo(90), 1, true],
    ["unknown", "", 1, true],
    ["in the future", daysAgo(-3), 1, true],
  ])(
    "is checked at startup: %s",
    async (_what, HEX_SECRET_CREATED_AT, entries, warned) => {
      await start({ HEX_SECRET: SECRET, HEX_SECRET_CREATED_AT });
      await eventually(async () => (await overdue()).length === entries);
      expect(/"secret":"HEX_SECRET"/.test(service!.log.text)).toBe(warned);
      const facts = (await overdue()).map(({ metadata }) => [
        metadata["keyId"],
        metadata["source"],
      ]);
      expect(facts).toEqual(Array(entries).fill([keyIdOf(SECRET), "hex"]));
    },
  );

  it("is checked again every day with the current configuration", async () => {
    const time = manualTime();
    const { given } = await start({
      HEX_SECRET: SECRET,
      HEX_SECRET_CREATED_AT: daysAgo(100),
    });
    // A check in progress is not started again.
    await eventually(async () => {
      time.advance(DAY);
      return (await overdue()).length >= 3;
    });
    given["HEX_SECRET_CREATED_AT"] = daysAgo(1);
    await service!.reload();
    // The entry of a check is committed before an event that arrives after it.
    await statusWithSecret(SECRET);
    const before = await overdue();
    time.advance(DAY);
    await statusWithSecret(SECRET);
    expect(await overdue()).toEqual(before);
  });
});

describe("serve", () => {
  it("survives a SIGHUP while the program is loading", async () => {
    const child = spawn(process.execPath, [CLI, "serve"], {
      cwd: folder.path,
      env: environment({
        HEX_SECRET: SECRET,
        PORT: "0",
        ADMIN_PORT: "0",
        DATABASE_URL: "sqlite:hexhook.db",
      }),
    });
    let output = "";
    child.stderr.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
    const ended = once(child, "close");
    // SIGHUP has a handler now.
    await eventually(() =>
      readFileSync(`/proc/${child.pid}/status`, "utf8").match(
        /SigCgt:\s*[0-9a-f]*[13579bdf]$/m,
      ),
    );
    child.kill("SIGHUP");
    await eventually(() => output.includes('"service ready"'));
    child.kill("SIGTERM");
    expect((await ended)[0]).toBe(0);
  });

  it("writes no secret during a reload", async () => {
    const file = write("secret", SECRET);
    running = await serve(folder.path, {
      HEX_SECRET: undefined,
      HEX_SECRET_FILE: file,
      LOG_LEVEL: "trace",
    });
    writeFileSync(file, "short");
    await eventually(() => running!.stdout().includes('"result":"failure"'));
    writeFileSync(file, OTHER_SECRET);
    await eventually(() => running!.stdout().includes(keyIdOf(OTHER_SECRET)));
    await running.stop();
    const tail = await hexhook(["audit", "tail", "--action", "*.reloaded"], {
      cwd: folder.path,
      env: { DATABASE_URL: "sqlite:hexhook.db" },
    });
    expect(tail.stdout).toMatch(
      /FAIL secret\.reloaded \/secrets file.*\n? +HEX_SECRET_FILE: is shorter/,
    );
    expect(tail.stdout).toMatch(
      new RegExp(
        `ok +secret\\.reloaded /webhooks/hex file changed\\s+keyIds=${keyIdOf(OTHER_SECRET)}`,
      ),
    );
    const output = running.stdout() + running.stderr() + tail.stdout;
    expect(output).not.toMatch(new RegExp(`${SECRET}|${OTHER_SECRET}`));
    expect(readFileSync(inFolder("hexhook.db")).includes(SECRET)).toBe(false);
  });
});
