import { beforeEach, describe, expect, it } from "@jest/globals";
import { ADMIN_TOKEN, callAdmin, type Json } from "../support/admin-client.ts";
import { configFiles } from "../support/config-file.ts";
import {
  reply,
  startDestination,
  type TestDestination,
} from "../support/destinations.ts";
import { eventually } from "../support/eventually.ts";
import { eventBody } from "../support/fixtures.ts";
import { noHandlers } from "../support/no-handlers.ts";
import { freePort } from "../support/processes.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

let folder: string;
let billing: TestDestination;
let service: TestService;

beforeEach(async () => {
  folder = temporaryFolder().path;
  billing = await startDestination(reply(200));
});

const { configFile } = configFiles(() => folder);

/** Starts a service with these destinations in its configuration file. */
async function start(destinations: object): Promise<void> {
  service = await startTestService(folder, {
    env: {
      HANDLERS: noHandlers(folder),
      HEXHOOK_CONFIG: configFile(JSON.stringify({ destinations })),
      ADMIN_PORT: String(await freePort()),
      ADMIN_TOKEN,
    },
  });
}

const invoices = (options: object = {}) => ({
  billing: { url: billing.url, events: ["invoice.*"], ...options },
});

const post = async (id: string, type: string): Promise<void> => {
  expect((await service.post(eventBody(id, type))).status).toBe(200);
};

const idsOf = async (query: string) => {
  const { json } = await callAdmin(service, "GET", `/api/events?${query}`);
  return (json["events"] as Json[]).map(({ id }) => id);
};

const route = async (body: object) => {
  const answer = await callAdmin(service, "POST", "/api/events/redeliver", {
    route: true,
    as: "alice",
    ...body,
  });
  expect(answer.status).toBe(200);
  return answer.json;
};

describe("an event that no destination matches", () => {
  it("is stored, audited and listed, and causes one warning for each type", async () => {
    await start(invoices());
    await post("evt_1", "user.created");
    await post("evt_2", "user.created");
    await post("evt_3", "user.deleted");
    await post("evt_4", "invoice.paid");
    await eventually(() => billing.attempts.length === 1);

    expect(await idsOf("unrouted=true")).toEqual(["evt_3", "evt_2", "evt_1"]);
    expect(await idsOf("unrouted=true&type=*.deleted")).toEqual(["evt_3"]);
    expect(await idsOf("unrouted=false")).toHaveLength(4);
    const accepted = (await service.entries()).filter(
      ({ action }) => action === "webhook.accepted",
    );
    expect(accepted.map(({ metadata }) => metadata["deliveries"])).toEqual([
      0, 0, 0, 1,
    ]);
    const warnings = service.log.text
      .split("\n")
      .filter((line) => line.includes("event unrouted"))
      .map((line) => JSON.parse(line) as Json);
    expect(warnings).toMatchObject([
      { level: "warn", source: "hex", eventType: "user.created", unrouted: 1 },
      { level: "warn", source: "hex", eventType: "user.deleted", unrouted: 3 },
    ]);
  });

  it("is delivered once to a destination that is configured later, if an operator routes it", async () => {
    await start({});
    await post("evt_1", "invoice.paid");
    await post("evt_2", "user.created");
    await service.stop();
    await start(invoices());

    const all = { all: true, unrouted: true };
    expect(await route({ ...all, dryRun: true })).toEqual({
      dryRun: true,
      matched: 0,
      redelivered: 0,
      inFlight: 0,
      created: 1,
    });
    expect(billing.attempts).toEqual([]);
    expect(await route(all)).toMatchObject({ created: 1, redelivered: 0 });
    await eventually(() => billing.attempts.length === 1);
    expect(await route(all)).toMatchObject({ created: 0 });
    expect(await route({ all: true })).toMatchObject({ created: 0 });
    expect(billing.ids()).toEqual(["evt_1"]);
    expect(billing.attempts[0]!.body).toEqual(
      eventBody("evt_1", "invoice.paid"),
    );
    expect(await idsOf("unrouted=true")).toEqual(["evt_2"]);
    expect(
      (await service.entries()).filter(
        ({ action }) => action === "delivery.redelivered",
      ),
    ).toMatchObject([
      {
        userId: "operator:alice",
        resource: "/destinations/billing",
        metadata: { eventId: "evt_1", created: true },
      },
    ]);
  });

  it("is delivered in the order of its key", async () => {
    await start({});
    for (const id of ["evt_1", "evt_2", "evt_3"]) {
      await post(id, "invoice.paid");
    }
    await service.stop();
    await start(invoices({ orderBy: "/data/n", concurrency: 8 }));
    const ids = ["evt_3", "evt_1", "evt_2"];
    expect(await route({ ids })).toMatchObject({ created: 3 });
    await eventually(() => billing.attempts.length === 3);
    expect(billing.ids()).toEqual(["evt_1", "evt_2", "evt_3"]);
    expect(billing.seen().most).toBe(1);
  });

  it("gets only its missing deliveries, and its other deliveries are not changed", async () => {
    await start(invoices());
    await post("evt_1", "invoice.paid");
    await eventually(() => billing.attempts.length === 1);
    await service.stop();
    const added = await startDestination(reply(200));
    await start({ ...invoices(), added: { url: added.url } });
    expect(await route({ all: true, destination: "added" })).toMatchObject({
      matched: 0,
      created: 1,
    });
    await eventually(() => added.attempts.length === 1);
    expect(await route({ all: true })).toMatchObject({ created: 0 });
    expect(billing.attempts).toHaveLength(1);
  });

  it.each([
    [{ all: true, unrouted: true }, "route: true"],
    [
      { ids: ["evt_1"], unrouted: true, route: true },
      "ids can only be combined with",
    ],
    [{ all: true, destination: "biling" }, "configured destinations: billing"],
    [{ all: true, state: "discarded" }, "only be redelivered by ids"],
  ])(
    "is not routed by the invalid request %j, which gets 400 and a detail",
    async (body, word) => {
      await start(invoices());
      const target = "/api/events/redeliver";
      const { status, json } = await callAdmin(service, "POST", target, body);
      expect([status, json["code"]]).toEqual([400, "bad_request"]);
      expect(json["detail"]).toContain(word);
    },
  );
});

describe("a destination that is no longer configured", () => {
  beforeEach(async () => {
    billing.answer(reply(410));
    await start(invoices());
    await post("evt_1", "invoice.paid");
    await eventually(async () => (await idsOf("state=exhausted")).length === 1);
    await service.stop();
    await start({ other: { url: billing.url } });
  });

  it("is named in the rejection of a redelivery, which changes nothing", async () => {
    const { json } = await callAdmin(service, "GET", "/api/events/evt_1");
    const [delivery] = json["deliveries"] as Json[];
    const one = `/api/deliveries/${String(delivery!["id"])}/redeliver`;
    const many = "/api/events/redeliver";
    for (const [target, body, status] of [
      [one, {}, 404],
      [many, { ids: ["evt_1"] }, 400],
      [many, { all: true, destination: "billing" }, 400],
    ] as const) {
      const answer = await callAdmin(service, "POST", target, body);
      expect(answer.status).toBe(status);
      expect(answer.json["detail"]).toContain("configured destinations: other");
    }
    expect(
      (await callAdmin(service, "POST", many, { all: true })).json,
    ).toEqual({
      dryRun: false,
      matched: 1,
      redelivered: 0,
      inFlight: 0,
      destinationGone: 1,
    });
    expect(await idsOf("state=exhausted")).toEqual(["evt_1"]);
    expect(billing.attempts).toHaveLength(1);
  });

  it("can still be used as a filter and have its deliveries discarded, unlike one that never existed", async () => {
    expect(await idsOf("destination=billing")).toEqual(["evt_1"]);
    for (const [method, target, body] of [
      ["GET", "/api/events?destination=biling", undefined],
      ["POST", "/api/events/discard", { destination: "biling" }],
    ] as const) {
      expect(await callAdmin(service, method, target, body)).toMatchObject({
        status: 400,
        json: {
          detail: expect.stringContaining("configured destinations: other"),
        },
      });
    }
    const discard = { destination: "billing", as: "alice" };
    expect(
      await callAdmin(service, "POST", "/api/events/discard", discard),
    ).toMatchObject({ status: 200, json: { matched: 1, discarded: 1 } });
    expect(await idsOf("state=discarded")).toEqual(["evt_1"]);
    expect(await idsOf("destination=billing")).toEqual(["evt_1"]);
  });
});
