import { beforeEach, describe, expect, it } from "@jest/globals";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { SIGNING_KEY } from "../../support/fixtures.ts";
import { hexhook } from "../../support/hexhook.ts";
import { noHandlers } from "../../support/no-handlers.ts";
import { openTestStore } from "../../support/open-test-store.ts";
import { recordOf } from "../../support/stores.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

let folder: string;

beforeEach(() => {
  folder = temporaryFolder().path;
});

const run = (destinations: object, ...args: string[]) => {
  const HEXHOOK_CONFIG = path.join(folder, "hexhook.yaml");
  writeFileSync(HEXHOOK_CONFIG, JSON.stringify({ destinations }));
  return hexhook(["events", "redeliver", ...args], {
    cwd: folder,
    env: {
      DATABASE_URL: "sqlite:hexhook.db",
      AUDIT_SIGNING_KEY: SIGNING_KEY.export({
        type: "pkcs8",
        format: "pem",
      }).toString(),
      HANDLERS: noHandlers(folder),
      HEXHOOK_CONFIG,
    },
  });
};

const url = "http://127.0.0.1:9/";
const others = { url, events: ["other.*"] };

/** Stores events of the source "hex", each with deliveries to its destinations. */
async function store(
  events: Readonly<Record<string, readonly string[]>>,
): Promise<void> {
  const opened = await openTestStore(folder);
  for (const [n, [id, destinations]] of Object.entries(events).entries()) {
    await opened.record(
      recordOf(id, { mac: n + 1, destinations, orderKey: "k" }),
    );
  }
  await opened.close();
}

describe("hexhook events redeliver --dry-run", () => {
  const pending = ["--all", "--state", "pending", "--dry-run"];

  beforeEach(async () => {
    await store({ first: ["ci", "old"], second: ["ci"] });
  });

  it("prints what would happen to each delivery, and a summary", async () => {
    const { stdout } = await run({ ci: { url } }, ...pending);
    expect(stdout.split("\n")).toEqual([
      'would redeliver "first" to ci (pending, attempts: 0)',
      'would skip "first" to old (pending, attempts: 0)',
      // It waits for the first delivery of its key.
      'would skip "second" to ci (pending, attempts: 0)',
      "1 would be redelivered, 2 skipped; nothing was changed",
      "",
    ]);
  });

  it("prints one JSON object for each delivery with --json", async () => {
    const args = [...pending, "--route", "--json"];
    const { stdout } = await run({ ci: { url }, new: { url } }, ...args);
    const lines = stdout.trim().split("\n");
    expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
      { deliveryId: 1, state: "pending", attempt: 0, action: "redeliver" },
      { deliveryId: 2, destination: "old", action: "leave" },
      { eventId: "first", destination: "new", action: "create" },
      { deliveryId: 3, eventId: "second", action: "leave" },
      { eventId: "second", destination: "new", action: "create" },
    ]);
  });

  it("predicts what the command does without --dry-run", async () => {
    const { stdout } = await run(
      { ci: { url } },
      ...pending.slice(0, -1),
      "--json",
    );
    expect(JSON.parse(stdout)).toEqual({
      matched: 3,
      redelivered: 1,
      inFlight: 1,
      destinationGone: 1,
    });
  });
});

describe("hexhook events redeliver that finds nothing", () => {
  const destinations = { ci: others, billing: others };
  const unrouted = ["--all", "--unrouted", "--route"];

  it.each([
    [
      [],
      "2 events checked: no configured destination matches (configured destinations: billing, ci)\n",
    ],
    [["--destination", "ci"], "2 events checked: ci does not match\n"],
    [["--type", "no.*"], "nothing to redeliver: no event matches\n"],
  ])("says why nothing is routed with the options %j", async (args, text) => {
    await store({ evt_1: [], evt_2: [] });
    for (const dry of [[], ["--dry-run"]]) {
      expect(
        await run(destinations, ...unrouted, ...args, ...dry),
      ).toMatchObject({ code: 0, stdout: text });
    }
  });

  it.each([
    [
      ["evt_1", "--route", "--state", "exhausted"],
      "no matching delivery is exhausted, no delivery is missing",
    ],
    [["evt_1", "--state", "exhausted"], "no matching delivery is exhausted"],
    [["--all"], "no matching delivery is exhausted"],
    [["evt_2"], "no delivery matches"],
  ])("says with the arguments %j: %s", async (args, why) => {
    await store({ evt_1: ["ci"], evt_2: [] });
    expect(await run({ ci: { url } }, ...args)).toMatchObject({
      code: 0,
      stdout: `nothing to redeliver: ${why}\n`,
    });
  });
});
