import { beforeEach, describe, expect, it } from "@jest/globals";
import { writeFileSync } from "node:fs";
import path from "node:path";
import type { Environment } from "../../../src/config/load-config.ts";
import type { Json } from "../../support/admin-client.ts";
import {
  reply,
  startDestination,
  type TestDestination,
} from "../../support/destinations.ts";
import { eventually } from "../../support/eventually.ts";
import { eventBody } from "../../support/fixtures.ts";
import { hexhook } from "../../support/hexhook.ts";
import { noHandlers } from "../../support/no-handlers.ts";
import { hexhookProcess } from "../../support/processes.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

let folder: string;
let destination: TestDestination;

beforeEach(async () => {
  folder = temporaryFolder().path;
  destination = await startDestination(reply(200));
  noHandlers(folder);
});

const none = (): Environment => ({ HANDLERS: path.join(folder, "none.mjs") });
const forward = (): Environment => ({
  ...none(),
  FORWARD_URL: destination.url,
});

const start = (env: Environment): Promise<TestService> =>
  startTestService(folder, { env });

const run = (env: Environment, ...args: string[]) =>
  hexhook(["events", ...args], {
    cwd: folder,
    env: { DATABASE_URL: "sqlite:hexhook.db", ...env },
  });

const stored = async (...ids: string[]): Promise<void> => {
  const service = await start(none());
  for (const id of ids) {
    expect((await service.post(eventBody(id, "invoice.paid"))).status).toBe(
      200,
    );
  }
  await service.stop();
};

describe("hexhook events redeliver --route", () => {
  it("creates each missing delivery once without a service, and the next start delivers it", async () => {
    await stored("evt_1", "evt_2");
    const list = await run(none(), "list", "--unrouted");
    expect(list.stdout).toMatch(
      /evt_2 invoice\.paid\n {2}unrouted: no destination matched\n.*evt_1/,
    );
    const all = ["redeliver", "--all", "--route"];
    const dry = await run(forward(), ...all, "--dry-run");
    expect(dry.stdout).toBe(
      [
        'would create a delivery of "evt_1" to forward',
        'would create a delivery of "evt_2" to forward',
        "0 would be redelivered, 2 would be created; nothing was changed\n",
      ].join("\n"),
    );
    const dryJson = await run(forward(), ...all, "--dry-run", "--json");
    expect(JSON.parse(dryJson.stdout.split("\n")[0]!)).toEqual({
      eventId: "evt_1",
      source: "hex",
      destination: "forward",
      action: "create",
    });
    expect(await run(forward(), ...all, "--as", "alice")).toMatchObject({
      code: 0,
      stdout: "0 deliveries redelivered, 2 created\n",
    });
    expect((await run(forward(), ...all)).stdout).toBe(
      "nothing to redeliver: no matching delivery is exhausted, no delivery is missing\n",
    );
    expect(JSON.parse((await run(forward(), ...all, "--json")).stdout)).toEqual(
      { matched: 0, redelivered: 0, inFlight: 0, created: 0 },
    );
    const service = await start(forward());
    await eventually(() => destination.attempts.length === 2);
    expect(destination.ids()).toEqual(["evt_1", "evt_2"]);
    await service.stop();
    const verified = await hexhook(["audit", "verify"], {
      cwd: folder,
      env: { DATABASE_URL: "sqlite:hexhook.db" },
    });
    expect(verified.code).toBe(0);
  });

  it("routes by id while a service runs, and uses its published configuration when the command has none", async () => {
    await stored("evt_1", "evt_2");
    const service = await start(forward());
    expect((await run({}, "redeliver", "evt_2", "--route")).stdout).toContain(
      "1 created",
    );
    await eventually(() => destination.attempts.length === 1);
    expect(destination.ids()).toEqual(["evt_2"]);
    await service.stop();
  });

  it("routes to the functions of the handlers module, and ends even if the module keeps the event loop busy", async () => {
    await stored("evt_1");
    const module = path.join(folder, "handlers.mjs");
    writeFileSync(
      module,
      `console.log("loaded");
       setInterval(() => undefined, 1000);
       export default { "invoice.*": () => undefined, "user.*": () => undefined };`,
    );
    // The command runs in a separate process, which must end although the module keeps its event loop busy.
    const { code, stdout } = await hexhookProcess(
      ["events", "redeliver", "--all", "--route", "--json"],
      {
        cwd: folder,
        env: { DATABASE_URL: "sqlite:hexhook.db", HANDLERS: module },
      },
    );
    expect([code, JSON.parse(stdout)]).toMatchObject([0, { created: 1 }]);
    const list = await run({ HANDLERS: module }, "list", "--json");
    expect((JSON.parse(list.stdout) as Json)["deliveries"]).toMatchObject([
      { destination: "handler:invoice.*" },
    ]);
  });

  it.each([
    ["throws", "throw new Error('no database');", /no database/],
    ["exports no functions", "export default [];", /plain object/],
    ["ends its process", "process.exit(3);", /it exited with code 3/],
  ])(
    "exits with 78 when the handlers module %s",
    async (_what, source, why) => {
      await stored("evt_1");
      const module = path.join(folder, "broken.mjs");
      writeFileSync(module, source);
      const env = { HANDLERS: module };
      const { code, stderr } = await run(env, "redeliver", "evt_1", "--route");
      expect(code).toBe(78);
      expect(stderr).toMatch(why);
      // A command that does not route does not load the module.
      expect((await run(env, "list")).code).toBe(0);
    },
  );

  it("rejects --unrouted without --route or without --all", async () => {
    await stored("evt_1");
    for (const [args, why] of [
      [["--all", "--unrouted"], /add --route/],
      [["evt_1", "--unrouted", "--route"], /--unrouted needs --all/],
    ] as const) {
      const { code, stderr } = await run({}, "redeliver", ...args);
      expect(code).toBe(64);
      expect(stderr).toMatch(why);
    }
  });
});

describe("a destination that is no longer configured", () => {
  beforeEach(async () => {
    destination.answer(reply(410));
    const service = await start(forward());
    await service.post(eventBody("evt_1"));
    await eventually(
      async () => (await run({}, "list", "--state", "exhausted")).stdout !== "",
    );
    await service.stop();
  });

  it.each([
    ["in the configuration of the command", ["billing", "ci"]],
    ["that the newest service published", null],
  ])(
    "is rejected with a list of the destinations %s",
    async (_where, configured) => {
      let env: Environment = {};
      if (configured === null) {
        await (await start(none())).stop();
      } else {
        const file = path.join(folder, "hexhook.yaml");
        writeFileSync(
          file,
          JSON.stringify({
            destinations: {
              ci: { url: "http://ci/" },
              billing: { url: "http://b/" },
            },
          }),
        );
        env = { HEXHOOK_CONFIG: file };
      }
      const names =
        configured === null
          ? "configured destinations: none"
          : `configured destinations: ${configured.join(", ")}`;
      const origin =
        configured === null
          ? "published by the service that started last: set HEXHOOK_CONFIG"
          : "by this command's configuration";
      for (const [args, why] of [
        [["redeliver", "evt_1"], "no longer configured: forward"],
        [["redeliver", "--all", "--destination", "forward"], '"forward"'],
        [["redeliver", "evt_1", "--destination", "forwad"], '"forwad"'],
        [["list", "--destination", "forwad"], '"forwad"'],
        [["discard", "--all", "--destination", "forwad"], '"forwad"'],
      ] as const) {
        const { code, stderr } = await run(env, ...args);
        expect([args, code]).toEqual([args, 64]);
        expect(stderr).toContain(why);
        expect(stderr).toContain(names);
        expect(stderr).toContain(origin);
      }
      const all = await run(env, "redeliver", "--all");
      expect(all).toMatchObject({
        code: 0,
        stdout:
          "0 deliveries redelivered; 1 skipped: their destinations are not configured\n",
      });
      const list = await run(env, "list", "--destination", "forward");
      expect(list.stdout).toContain("forward: exhausted");
    },
  );

  it("is accepted by a command without a configuration, and marked in its list after a service starts without it", async () => {
    expect((await run({}, "redeliver", "evt_1")).code).toBe(0);
    await (await start(none())).stop();
    const list = await run({}, "list");
    expect(list.stdout).toContain("destination not configured in the service");
  });
});
