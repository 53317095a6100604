import { beforeEach, describe, expect, it } from "@jest/globals";
import { writeFileSync } from "node:fs";
import path from "node:path";
import {
  reply,
  startDestination,
  type TestDestination,
} from "../../support/destinations.ts";
import { eventually } from "../../support/eventually.ts";
import { eventBody } from "../../support/fixtures.ts";
import { hexhook } from "../../support/hexhook.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

interface Json {
  readonly [name: string]: unknown;
}

let folder: ReturnType<typeof temporaryFolder>;
let destination: TestDestination;

beforeEach(async () => {
  folder = temporaryFolder();
  destination = await startDestination(reply(500));
  writeFileSync(path.join(folder.path, "none.mjs"), "export default {};");
});

/** A service that forwards to the destination and gives up after the second attempt. */
const start = () =>
  startTestService(folder.path, {
    env: {
      FORWARD_URL: destination.url,
      HANDLERS: path.join(folder.path, "none.mjs"),
      RETRY_SCHEDULE: "10ms",
    },
  });

async function send(
  service: TestService,
  id: string,
  type?: string,
): Promise<void> {
  expect((await service.post(eventBody(id, type))).status).toBe(200);
}

const entriesOf = async (service: TestService, action: string) =>
  (await service.entries()).filter((entry) => entry.action === action);

describe("hexhook events", () => {
  const run = (...args: string[]) =>
    hexhook(["events", ...args], {
      cwd: folder.path,
      env: { DATABASE_URL: "sqlite:hexhook.db" },
    });

  it("list, show and redeliver work while the service runs, which delivers again", async () => {
    const service = await start();
    for (const [id, type] of [
      ["evt_1", "a.b"],
      ["evt_2", "a.b"],
      ["evt_3", "c.d"],
    ] as const) {
      await send(service, id, type);
    }
    await eventually(
      async () => (await entriesOf(service, "delivery.exhausted")).length === 3,
    );
    destination.answer(reply(200));

    const list = await run(
      "list",
      "--state",
      "exhausted",
      "--type",
      "a.*",
      "--json",
    );
    expect(list.code).toBe(0);
    expect(
      list.stdout
        .trim()
        .split("\n")
        .map((line) => (JSON.parse(line) as Json)["id"]),
    ).toEqual(["evt_2", "evt_1"]);
    const readable = await run("list", "--limit", "1");
    expect(readable.stdout).toMatch(
      /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ hex evt_3 c\.d\n {2}forward: exhausted, 2 attempts\n$/,
    );
    const show = await run("show", "evt_1");
    expect(show.stdout).toMatch(
      /delivery \d+ to forward: exhausted, 2 attempts/,
    );
    expect(show.stdout).toMatch(/ 2\. .* FAIL status 500/);
    expect(show.stdout.split("\n").every((line) => line.length <= 80)).toBe(
      true,
    );
    expect(
      JSON.parse((await run("show", "hex/evt_1", "--json")).stdout),
    ).toMatchObject({ id: "evt_1", deliveries: [{ attempts: [{}, {}] }] });

    const dry = await run("redeliver", "--all", "--type", "a.*", "--dry-run");
    expect(dry).toMatchObject({ code: 0, stderr: "" });
    expect(dry.stdout).toContain('would redeliver "evt_1" to forward');
    expect(dry.stdout).toContain("2 would be redelivered; nothing was changed");
    expect(await entriesOf(service, "delivery.redelivered")).toEqual([]);

    const one = await run("redeliver", "evt_3", "--as", "alice");
    expect(one).toMatchObject({ code: 0, stdout: "1 delivery redelivered\n" });
    await eventually(() => destination.attempts.length === 7);
    const all = await run("redeliver", "--all", "--as", "bob", "--json");
    expect(JSON.parse(all.stdout)).toEqual({
      matched: 2,
      redelivered: 2,
      inFlight: 0,
    });
    await eventually(() => destination.attempts.length === 9);
    expect(destination.ids().slice(6)).toEqual(["evt_3", "evt_1", "evt_2"]);

    expect(
      (await entriesOf(service, "delivery.redelivered")).map(
        ({ userId, metadata }) => [userId, metadata["eventId"]],
      ),
    ).toEqual([
      ["operator:alice", "evt_3"],
      ["operator:bob", "evt_1"],
      ["operator:bob", "evt_2"],
    ]);
    await service.stop();
    const verified = await hexhook(["audit", "verify"], {
      cwd: folder.path,
      env: { DATABASE_URL: "sqlite:hexhook.db" },
    });
    expect(verified).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("by 3 writers"),
    });
  });

  it("redeliver works without a service, and the next start delivers", async () => {
    const first = await start();
    await send(first, "evt_1");
    await eventually(
      async () => (await entriesOf(first, "delivery.exhausted")).length === 1,
    );
    await first.stop();
    expect((await run("redeliver", "evt_1")).code).toBe(0);
    expect((await run("list", "--state", "pending")).stdout).toContain("evt_1");
    destination.answer(reply(200));
    const second = await start();
    await eventually(() => destination.attempts.length === 3);
    await second.stop();
  });

  it.each([
    [["redeliver"], 64, /give event ids, or --all/],
    [["redeliver", "a", "--all"], 64, /not both/],
    [["redeliver", "a", "--type", "b"], 64, /--type/],
    [["redeliver", "--all", "--as", "a b"], 64, /letters, digits/],
    [["list", "--state", "lost"], 64, /pending, succeeded, exhausted/],
    [["list", "--since", "yesterday"], 64, /15m/],
    [["list", "--limit", "0"], 64, /from 1/],
    [["show"], 64, /missing required argument/],
    [["show", "evt_none"], 70, /there is no store/],
    [["redeliver", "--all"], 70, /there is no store/],
  ])(
    "with the arguments %j exits with %d and says why",
    async (args, code, why) => {
      const result = await run(...args);
      expect(result.code).toBe(code);
      expect(result.stderr).toMatch(why);
    },
  );

  it("names an id that is not in the store, exits with 1 and changes nothing", async () => {
    const service = await start();
    await send(service, "evt_1");
    await eventually(
      async () => (await entriesOf(service, "delivery.exhausted")).length === 1,
    );
    for (const args of [
      ["show", "evt_none"],
      ["redeliver", "evt_1", "evt_none"],
    ]) {
      const result = await run(...args);
      expect(result.code).toBe(1);
      expect(result.stderr).toContain('there is no event "evt_none"');
    }
    expect(await run("redeliver", "--all", "--source", "other")).toMatchObject({
      code: 0,
      stdout: "nothing to redeliver: no matching delivery is exhausted\n",
    });
    expect(await entriesOf(service, "delivery.redelivered")).toEqual([]);
  });
});
