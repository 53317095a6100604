import { beforeEach, describe, expect, it } from "@jest/globals";
import { generateKeyPairSync } from "node:crypto";
import path from "node:path";
import { eventBody, SECRET, TODAY } from "../../support/fixtures.ts";
import { eventually } from "../../support/eventually.ts";
import { noHandlers } from "../../support/no-handlers.ts";
import { createDatabase, runSql } from "../../support/postgres.ts";
import {
  deliver,
  postgresEnvironment,
} from "../../support/postgres-service.ts";
import { hexhook } from "../../support/hexhook.ts";
import { freePort, hexhookProcess } from "../../support/processes.ts";
import { startTestService } from "../../support/service.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

let folder: string;
let env: Awaited<ReturnType<typeof postgresEnvironment>>;

beforeEach(async () => {
  folder = temporaryFolder().path;
  env = {
    ...(await postgresEnvironment()),
    HEX_SECRET: SECRET,
    HEX_SECRET_CREATED_AT: TODAY,
    HANDLERS: noHandlers(folder),
    FORWARD_URL: "http://127.0.0.1:9/",
    RETRY_SCHEDULE: "1h",
  };
});

const command = (text: string, changed: Record<string, string> = {}) =>
  hexhook(text.split(" "), { cwd: folder, env: { ...env, ...changed } });

/** The commands that need a store. */
const COMMANDS = [
  "events list",
  "events show evt_1",
  "events export --as alice",
  "events redeliver --all --as alice",
  "events discard --all --as alice",
  "audit tail",
  "audit verify",
  "audit scopes",
] as const;

describe("a command on PostgreSQL", () => {
  it("works beside a running service, and its process ends", async () => {
    const service = await startTestService(folder, { env });
    await deliver(service, "evt_1");
    await eventually(async () =>
      (await service.entries()).some(
        ({ action }) => action === "delivery.failed",
      ),
    );

    expect(await command("events list")).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("evt_1"),
      stderr: "",
    });
    expect(await command("events show evt_1")).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("resource.created"),
    });
    expect(await command("events show evt_1 --body")).toMatchObject({
      code: 0,
      stdout: eventBody("evt_1").toString(),
      stderr: "",
    });
    const { stdout } = await command("events export --until 0s");
    expect(JSON.parse(stdout)).toMatchObject({
      id: "evt_1",
      body: eventBody("evt_1").toString("base64"),
    });
    expect(
      (await service.entries())
        .filter(({ action }) => action === "event.read")
        .map(({ metadata }) => metadata["eventId"] ?? metadata["count"]),
    ).toEqual(["evt_1", 1]);
    expect(await command("events redeliver evt_1 --as alice")).toMatchObject({
      code: 0,
      stderr: "",
    });
    await eventually(
      async () =>
        (await service.entries()).filter(
          ({ action }) => action === "delivery.failed",
        ).length === 2,
    );
    expect(await command("events discard evt_1 --as alice")).toMatchObject({
      code: 0,
    });
    expect(await command("audit tail")).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("delivery.discarded"),
    });
    expect(await command("audit scopes")).toMatchObject({ code: 0 });
    expect(await command("secrets check")).toMatchObject({ code: 0 });
    expect(await command("migrate")).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(
        /^the schema of 127\.0\.0\.1:\d+\/\w+ is up to date \(version \d+\)\n$/,
      ),
    });
    // In processes of their own, which end only if no connection stays open.
    for (const text of ["audit verify", "events list"]) {
      expect(
        await hexhookProcess(text.split(" "), { cwd: folder, env }),
      ).toMatchObject({ code: 0, stderr: "" });
    }
    await service.stop();
    expect(await command("audit verify")).toMatchObject({ code: 0 });
  });

  it.each(COMMANDS)(
    "reports with one line that the database has no store: %s",
    async (text) => {
      expect(await command(text)).toEqual({
        code: 70,
        stdout: "",
        stderr: expect.stringMatching(
          /^hexhook: 127\.0\.0\.1:\d+\/\w+: the database has no store: start `hexhook serve` once, or set DATABASE_URL\n$/,
        ),
      });
    },
  );

  it.each([...COMMANDS, "migrate", "secrets check"])(
    "reports with one line that the database cannot be reached: %s",
    async (text) => {
      const port = await freePort();
      const DATABASE_URL = `postgres://hexhook:S3cret@127.0.0.1:${port}/hexhook`;
      expect(await command(text, { DATABASE_URL })).toEqual({
        code: 70,
        stdout: "",
        stderr: expect.stringMatching(
          new RegExp(
            `^hexhook: 127\\.0\\.0\\.1:${port}/hexhook: PostgreSQL cannot be reached \\(ECONNREFUSED\\)[^\\n]*\\n$`,
          ),
        ),
      });
    },
  );

  it("creates the tables with `migrate`, and refuses those of a newer program", async () => {
    expect(await command("migrate")).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/ went from version 0 to \d+\n$/),
    });
    await runSql(
      env.DATABASE_URL,
      "INSERT INTO schema_version (application, version) VALUES ('hexhook', 99)",
    );
    for (const text of ["migrate", ...COMMANDS]) {
      expect(await command(text)).toMatchObject({
        code: 70,
        stderr: expect.stringMatching(
          /^hexhook: [^\n]*schema version 99[^\n]*\n$/,
        ),
      });
    }
  });

  it("rejects a wrong AUDIT_SIGNING_KEY, and requires one", async () => {
    const { DATABASE_URL } = env;
    const service = await startTestService(folder, { env });
    await deliver(service, "evt_1");
    await service.stop();
    const other = generateKeyPairSync("ed25519").privateKey.export({
      format: "pem",
      type: "pkcs8",
    });
    for (const [key, why] of [
      ["", "must be set"],
      [other.toString(), "is not the key of the service"],
    ] as const) {
      expect(
        await command("events discard evt_1 --as alice", {
          AUDIT_SIGNING_KEY: key,
        }),
      ).toMatchObject({
        code: 78,
        stderr: expect.stringMatching(
          new RegExp(`^hexhook: AUDIT_SIGNING_KEY: ${why}[^\\n]*\\n$`),
        ),
      });
    }
    const serve = await hexhookProcess(["serve"], {
      cwd: folder,
      env: { HEX_SECRET: SECRET, DATABASE_URL },
    });
    expect(serve).toMatchObject({
      code: 78,
      stderr: expect.stringMatching(
        /^hexhook: AUDIT_SIGNING_KEY: must be set[^\n]*`openssl genpkey -algorithm ed25519`[^\n]*\n$/,
      ),
    });
  });

  it("`doctor` warns that a failover may lose events, and fails if the server cannot be used", async () => {
    const check = async (changed: Record<string, string> = {}) => {
      const { stdout } = await command("doctor --json", changed);
      return stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as { check: string; details: string[] })
        .find((one) => one.check === "database");
    };
    expect(await check()).toMatchObject({
      status: "warn",
      details: [
        expect.stringContaining("has all features"),
        expect.stringContaining("a failover may lose acknowledged events"),
      ],
    });
    const port = await freePort();
    expect(
      await check({ DATABASE_URL: `postgres://u:S3cret@127.0.0.1:${port}/d` }),
    ).toMatchObject({
      status: "fail",
      details: [expect.stringContaining("cannot be reached")],
    });
    const sqlite = `sqlite:${path.join(folder, "none.db")}`;
    expect(await check({ DATABASE_URL: sqlite })).toMatchObject({
      status: "skip",
    });
  });

  it("refuses a database with the tables of another application", async () => {
    const url = await createDatabase();
    await runSql(url, "CREATE TABLE event (id integer)");
    expect(await command("migrate", { DATABASE_URL: url })).toMatchObject({
      code: 70,
      stderr: expect.stringMatching(/`event` of another application[^\n]*\n$/),
    });
  });
});
