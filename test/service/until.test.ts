import { beforeAll, describe, expect, it } from "@jest/globals";
import { ADMIN_TOKEN, callAdmin } from "../support/admin-client.ts";
import { hexhook } from "../support/hexhook.ts";
import { noHandlers } from "../support/no-handlers.ts";
import { openTestStore } from "../support/open-test-store.ts";
import { freePort } from "../support/processes.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { storeFileIn } from "../support/service-store.ts";
import { draftOf, recordOf } from "../support/stores.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** The times of the events `e0` to `e3`, each with a pending delivery to a destination that is not configured. */
const TIMES = [4, 3, 2, 1].map((hours) => Date.now() - hours * 3_600_000);

const iso = (n: number, later = 0): string =>
  new Date(TIMES[n]! + later).toISOString();

/** The times of `e1` and `e2`, which are both included. */
const SINCE = iso(1);
const UNTIL = iso(2);

let folder: string;
let service: TestService;

beforeAll(async () => {
  folder = temporaryFolder().path;
  const store = await openTestStore(folder);
  for (const [n, receivedAt] of TIMES.entries()) {
    await store.record(recordOf(`e${n}`, { mac: n, receivedAt }));
  }
  for (const at of [TIMES[2]!, TIMES[3]!]) {
    const metadata = { scope: "read:health" };
    await store.append({ ...draftOf("hex.api.call"), at, metadata });
  }
  await store.close();
  service = await startTestService(folder, {
    env: {
      HANDLERS: noHandlers(folder),
      ADMIN_PORT: String(await freePort()),
      ADMIN_TOKEN,
    },
  });
});

async function run(...args: string[]) {
  const result = await hexhook(args, {
    cwd: folder,
    env: {
      DATABASE_URL: `sqlite:${storeFileIn(folder)}`,
      HEX_SCOPES: "read:health",
    },
  });
  return {
    ...result,
    json: result.stdout
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

describe("--until, with --since, selects the events between two times, both included", () => {
  it.each([
    ["list", "id", ["e2", "e1"]],
    ["export", "id", ["e1", "e2"]],
    ["discard --all --dry-run", "eventId", ["e2", "e1"]],
    ["redeliver --all --state pending --dry-run", "eventId", ["e1", "e2"]],
  ])("events %s", async (command, member, ids) => {
    const times = ["--since", SINCE, "--until", UNTIL];
    const { code, json } = await run(
      "events",
      ...command.split(" "),
      ...times,
      "--json",
    );
    expect([code, json.map((one) => one[member])]).toEqual([0, ids]);
    const alone = await run(
      "events",
      ...command.split(" "),
      "--until",
      iso(1, -1),
      "--json",
    );
    expect(alone.json.map((one) => one[member])).toEqual(["e0"]);
  });

  it("audit scopes", async () => {
    const calls = async (...args: string[]) =>
      (await run("audit", "scopes", "--json", ...args)).json;
    expect(await calls()).toMatchObject([{ calls: 2 }]);
    expect(await calls("--until", UNTIL)).toMatchObject([{ calls: 1 }]);
  });

  it("GET /api/events", async () => {
    const { json } = await callAdmin(
      service,
      "GET",
      `/api/events?since=${SINCE}&until=${UNTIL}`,
    );
    expect(json["events"]).toMatchObject([{ id: "e2" }, { id: "e1" }]);
  });

  it.each(["redeliver", "discard"])("POST /api/events/%s", async (action) => {
    const target = `/api/events/${action}`;
    const body = { until: UNTIL, state: "pending", dryRun: true };
    expect(await callAdmin(service, "POST", target, body)).toMatchObject({
      status: 200,
      json: { matched: 3 },
    });
    // Alone, it is a filter. It cannot be combined with ids.
    expect(
      await callAdmin(service, "POST", target, { until: UNTIL, dryRun: true }),
    ).toMatchObject({ status: 200 });
    expect(
      await callAdmin(service, "POST", target, { until: UNTIL, ids: ["e1"] }),
    ).toMatchObject({ status: 400 });
  });
});

it.each([
  [["events", "list", "--until", "yesterday"], "an ISO time"],
  [["events", "discard", "e1", "--until", "1h"], "--until needs --all"],
  [["events", "redeliver", "e1", "--until", "1h"], "--until needs --all"],
])("%j is rejected as wrong usage", async (args, error) => {
  expect(await run(...args)).toMatchObject({
    code: 64,
    stdout: "",
    stderr: expect.stringContaining(error),
  });
});

it("until is rejected by the API if it is not a time", async () => {
  expect(await callAdmin(service, "GET", "/api/events?until=x")).toMatchObject({
    status: 400,
    json: { detail: expect.stringContaining("until: must be") },
  });
});

it.each([
  "events list",
  "events export",
  "events redeliver --all",
  "events discard --all",
  "audit tail",
  "audit scopes",
])("%s rejects an empty range of time", async (command) => {
  const times = ["--since", "1h", "--until", "2h"];
  const { code, stderr } = await hexhook([...command.split(" "), ...times], {
    cwd: folder,
    env: { DATABASE_URL: `sqlite:${storeFileIn(folder)}` },
  });
  expect([code, stderr]).toEqual([
    64,
    expect.stringContaining("--since is later than --until"),
  ]);
});
