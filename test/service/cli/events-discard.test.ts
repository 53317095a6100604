import { beforeEach, describe, expect, it } from "@jest/globals";
import {
  hang,
  reply,
  startDestination,
  type TestDestination,
} from "../../support/destinations.ts";
import { eventually } from "../../support/eventually.ts";
import { eventBody } from "../../support/fixtures.ts";
import { hexhook } from "../../support/hexhook.ts";
import { noHandlers } from "../../support/no-handlers.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

let folder: string;
let destination: TestDestination;
let service: TestService;

beforeEach(async () => {
  folder = temporaryFolder().path;
  destination = await startDestination(reply(500));
});

async function start(schedule: string): Promise<void> {
  service = await startTestService(folder, {
    env: {
      FORWARD_URL: destination.url,
      HANDLERS: noHandlers(folder),
      RETRY_SCHEDULE: schedule,
      SHUTDOWN_SECONDS: "1",
    },
  });
}

const run = (...args: string[]) =>
  hexhook(["events", ...args], {
    cwd: folder,
    env: { DATABASE_URL: "sqlite:hexhook.db" },
  });

const post = async (id: string, type?: string): Promise<void> => {
  expect((await service.post(eventBody(id, type))).status).toBe(200);
};

const entriesOf = async (action: string) =>
  (await service.entries()).filter((entry) => entry.action === action);

const untilListed = (count: number, ...args: string[]) =>
  eventually(async () => {
    const { stdout } = await run("list", "--json", ...args);
    return stdout.split("\n").length - 1 === count;
  });

describe("hexhook events discard", () => {
  it("stops the attempts of pending deliveries, which redeliver restarts by id only", async () => {
    await start("1h");
    await post("evt_1", "a.b");
    await post("evt_2", "c.d");
    await eventually(
      async () => (await entriesOf("delivery.failed")).length === 2,
    );

    const all = ["discard", "--all", "--type", "a.*"];
    const dryJson = await run(...all, "--dry-run", "--json");
    expect(JSON.parse(dryJson.stdout)).toMatchObject({ action: "discard" });
    const dry = await run(...all, "--dry-run");
    expect(dry.stdout).toBe(
      'would discard "evt_1" to forward (pending, attempts: 1)\n1 would be discarded; nothing was changed\n',
    );
    expect(await entriesOf("delivery.discarded")).toEqual([]);
    expect(await run(...all, "--as", "alice")).toMatchObject({
      code: 0,
      stdout: "1 delivery discarded\n",
    });
    expect((await run(...all)).stdout).toBe("nothing to discard\n");
    expect(await entriesOf("delivery.discarded")).toMatchObject([
      {
        userId: "operator:alice",
        resource: "/destinations/forward",
        result: "success",
        metadata: { eventId: "evt_1", state: "pending", attempt: 1 },
      },
    ]);
    expect((await run("list", "--state", "discarded")).stdout).toMatch(
      /evt_1 a\.b\n {2}forward: discarded, 1 attempt\n$/,
    );

    destination.answer(reply(200));
    const redelivered = await run("redeliver", "--all", "--json");
    expect(JSON.parse(redelivered.stdout)).toMatchObject({ matched: 0 });
    const rejected = await run("redeliver", "--all", "--state", "discarded");
    expect(rejected).toMatchObject({
      code: 64,
      stderr: expect.stringContaining("give the event ids"),
    });
    expect((await run("redeliver", "evt_1")).stdout).toBe(
      "1 delivery redelivered\n",
    );
    await eventually(() => destination.attempts.length === 3);
    expect(destination.ids()[2]).toBe("evt_1");
    await service.stop();
    const verified = await hexhook(["audit", "verify"], {
      cwd: folder,
      env: { DATABASE_URL: "sqlite:hexhook.db" },
    });
    expect(verified.code).toBe(0);
  });

  it("discards exhausted deliveries by id", async () => {
    await start("10ms");
    await post("evt_1");
    await untilListed(1, "--state", "exhausted");
    const { stdout } = await run("discard", "hex/evt_1", "--json");
    expect(JSON.parse(stdout)).toEqual({
      matched: 1,
      discarded: 1,
      inFlight: 0,
    });
    await untilListed(1, "--state", "discarded");
  });

  it("leaves an attempt in flight alone, and reports it", async () => {
    destination.answer(hang);
    await start("1h");
    await post("evt_1");
    await eventually(() => destination.attempts.length === 1);
    expect((await run("list")).stdout).toContain(", attempt in flight");
    const dry = ["discard", "evt_1", "--dry-run"];
    expect((await run(...dry)).stdout).toBe(
      'would skip "evt_1" to forward (pending, attempts: 1)\n0 would be discarded, 1 skipped; nothing was changed\n',
    );
    expect(JSON.parse((await run(...dry, "--json")).stdout)).toMatchObject({
      deliveryId: 1,
      action: "leave",
    });
    expect((await run("discard", "evt_1")).stdout).toBe(
      "0 deliveries discarded; 1 skipped: an attempt is in flight\n",
    );
    await untilListed(1, "--state", "pending");
  });

  it.each([
    [[], 64, /give event ids, or --all/],
    [["a", "--all"], 64, /not both/],
    [["a", "--type", "b"], 64, /--type needs --all; ids can be combined with/],
    [
      ["--all", "--state", "succeeded"],
      64,
      /Allowed choices are pending, exhausted/,
    ],
    [["--all", "--unrouted"], 64, /unknown option '--unrouted'/],
    [["--all"], 70, /there is no store/],
  ])(
    "with the arguments %j exits with %d and says why",
    async (args, code, why) => {
      const result = await run("discard", ...args);
      expect(result.code).toBe(code);
      expect(result.stderr).toMatch(why);
    },
  );

  it("names an id that is not in the store, exits with 1 and changes nothing", async () => {
    await start("1h");
    await post("evt_1");
    const result = await run("discard", "evt_1", "evt_none");
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('there is no event "evt_none"');
    expect(await entriesOf("delivery.discarded")).toEqual([]);
  });
});
