import { beforeEach, describe, expect, it } from "@jest/globals";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { Webhook } from "standardwebhooks";
import type { ServiceDeps } from "../../src/app/service.ts";
import type { Environment } from "../../src/config/load-config.ts";
import { hang, reply, startDestination } from "../support/destinations.ts";
import { eventually } from "../support/eventually.ts";
import { eventBody, signed } from "../support/fixtures.ts";
import { manualTime } from "../support/manual-time.ts";
import { recordEvents } from "../support/record-events.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

let folder: ReturnType<typeof temporaryFolder>;
let service: TestService | undefined;

beforeEach(() => {
  folder = temporaryFolder();
  service = undefined;
});

function file(name: string, text: string): string {
  const place = path.join(folder.path, name);
  writeFileSync(place, text);
  return place;
}

/** Starts a service with the destinations of a configuration file. */
async function start(
  yaml: string,
  env: Environment = {},
  deps: Partial<ServiceDeps> = {},
): Promise<TestService> {
  service = await startTestService(folder.path, {
    env: {
      HEXHOOK_CONFIG: file("hexhook.yaml", yaml),
      RETRY_SCHEDULE: "20ms,20ms,20ms,20ms,20ms,20ms,20ms,20ms,20ms",
      SHUTDOWN_SECONDS: "1",
      ...env,
    },
    deps,
  });
  return service;
}

const listed = (...names: string[]): string =>
  `sources: { hex: { destinations: [${names.join(", ")}] } }`;

async function post(id: string, type?: string): Promise<void> {
  expect((await service!.post(eventBody(id, type))).status).toBe(200);
}

const outcomes = async (resource: string, action: string) =>
  (await service!.entries()).filter(
    (entry) => entry.resource === resource && entry.action === action,
  );

describe("several destinations", () => {
  it("each get only the events of their patterns, signed with their own secret", async () => {
    const [invoices, all] = [
      await startDestination(reply(200)),
      await startDestination(reply(200)),
    ];
    await start(
      `${listed("invoices", "all")}
destinations:
  invoices: { url: "${invoices.url}", events: ["invoice.*"], secret: { env: INVOICE_SECRET } }
  all: { url: "${all.url}" }`,
      { INVOICE_SECRET: "an-outbound-secret-for-invoices" },
    );
    await post("evt_1", "invoice.paid");
    await post("evt_2", "user.created");
    await eventually(
      () => invoices.attempts.length === 1 && all.attempts.length === 2,
    );
    expect([invoices.ids(), all.ids().sort()]).toEqual([
      ["evt_1"],
      ["evt_1", "evt_2"],
    ]);
    const [{ headers, body }] = invoices.attempts as [
      (typeof invoices.attempts)[0],
    ];
    const key = Buffer.from("an-outbound-secret-for-invoices");
    new Webhook(key.toString("base64")).verify(
      body,
      headers as Record<string, string>,
    );
    expect(all.attempts[0]!.headers["webhook-signature"]).toBeUndefined();
    // A list of destinations replaces the built-in handlers.
    expect((await service!.entries())[0]!.metadata["destinations"]).toEqual([
      "invoices",
      "all",
    ]);
  });

  it("may be functions of the handlers module with their own names, beside its other functions", async () => {
    const handlers = file(
      "handlers.mjs",
      'export default { ci: () => undefined, "user.*": () => undefined };',
    );
    await start(
      `${listed("build")}
destinations: { build: { handler: ci, events: ["push.*"] } }`,
      { HANDLERS: handlers },
    );
    await post("evt_1", "push.main");
    await post("evt_2", "user.created");
    await post("evt_3", "ci");
    const done = await eventually(async () => {
      const entries = (await service!.entries()).filter(
        ({ action }) => action === "delivery.succeeded",
      );
      return entries.length === 2 ? entries : null;
    });
    expect(
      done.map(({ resource, metadata }) => [resource, metadata["eventId"]]),
    ).toEqual([
      ["/destinations/build", "evt_1"],
      ["/destinations/handler:user.*", "evt_2"],
    ]);
  });

  it("that name a missing function are a configuration error", async () => {
    await expect(
      start(`destinations: { build: { handler: ci } }`),
    ).rejects.toMatchObject({
      name: "ConfigError",
      message: expect.stringMatching(
        /^HEXHOOK_CONFIG: destinations\.build\.handler: .* has no function "ci"/,
      ),
    });
  });

  it("do not wait for one another when one hangs", async () => {
    const [dead, well] = [
      await startDestination(hang),
      await startDestination(reply(200)),
    ];
    await start(
      `destinations:
  dead: { url: "${dead.url}", concurrency: 3 }
  well: { url: "${well.url}", concurrency: 4 }`,
      { ATTEMPT_TIMEOUT: "1h" },
    );
    for (let n = 0; n < 40; n += 1) {
      await post(`evt_${n}`);
    }
    await eventually(() => well.attempts.length === 40);
    expect(dead.attempts).toHaveLength(3);
    expect(well.seen().most).toBeLessThanOrEqual(4);
  });

  it("keep their connections open between attempts", async () => {
    const well = await startDestination(reply(200));
    await start(
      `destinations: { well: { url: "${well.url}", concurrency: 1 } }`,
    );
    for (let n = 0; n < 20; n += 1) {
      await post(`evt_${n}`);
    }
    await eventually(() => well.attempts.length === 20);
    expect(well.seen().connections).toBe(1);
  });

  it("are never reached at link-local addresses, or at private ones that are not allowed", async () => {
    const inside = await startDestination(reply(200));
    await start(
      `destinations:
  metadata: { url: "http://169.254.169.254/latest" }
  rebound: { url: "http://rebound.example/" }
  inside: { url: "${inside.url}", allowPrivate: false }`,
      { RETRY_SCHEDULE: "1h" },
      {
        lookup: (_name, options, callback) => {
          const found = { address: "169.254.1.1", family: 4 };
          callback(null, options.all ? [found] : found.address, 4);
        },
      },
    );
    await post("evt_1");
    for (const [name, detail] of [
      ["metadata", "metadata"],
      ["rebound", "link-local"],
      ["inside", "loopback"],
    ]) {
      const [entry] = await eventually(async () => {
        const found = await outcomes(
          `/destinations/${name!}`,
          "delivery.failed",
        );
        return found.length > 0 ? found : null;
      });
      expect(entry!.metadata).toMatchObject({
        reason: "address_refused",
        detail,
      });
    }
    expect(inside.seen().connections).toBe(0);
    expect(service!.log.text).toMatch(
      /"destination":"metadata".*address is forbidden/,
    );
  });
});

describe("a circuit breaker", () => {
  it("saves the attempts of waiting deliveries, and delivers everything once a probe succeeds", async () => {
    const flaky = await startDestination(reply(500));
    await start(
      `${listed("flaky")}
destinations: { flaky: { url: "${flaky.url}", concurrency: 2 } }`,
      { RETRY_SCHEDULE: "150ms,150ms,150ms" },
    );
    const events = 60;
    for (let n = 0; n < events; n += 1) {
      await post(`evt_${n}`);
    }
    // Without a breaker, each delivery would already have used up its four attempts.
    await eventually(() => flaky.attempts.length >= 12);
    const spent = flaky.attempts.length;
    expect(spent).toBeLessThan(events);
    flaky.answer(reply(200));
    await eventually(
      async () =>
        (await outcomes("/destinations/flaky", "delivery.succeeded")).length ===
        events,
    );
    expect(await outcomes("/destinations/flaky", "delivery.exhausted")).toEqual(
      [],
    );
  });
});

describe("Retry-After", () => {
  it("delays the next attempt by the requested time", async () => {
    const busy = await startDestination((res, count) => {
      res
        .writeHead(
          count === 1 ? 429 : 200,
          count === 1 ? { "retry-after": "1" } : {},
        )
        .end();
    });
    await start(`destinations: { busy: { url: "${busy.url}" } }`);
    await post("evt_1");
    await eventually(() => busy.attempts.length === 2);
    const [failed] = await outcomes("/destinations/busy", "delivery.failed");
    const { timestamp, metadata } = failed!;
    expect(
      Date.parse(String(metadata["nextAttemptAt"])) - Date.parse(timestamp),
    ).toBe(1000);
  });
});

describe("an ordered destination", () => {
  it("gets the events of one key in order, even if they fail, and other keys in parallel", async () => {
    // The first event of each key gets a response when all three have arrived, so the keys run in parallel.
    const held: (() => void)[] = [];
    const ordered = await startDestination((res, count, { headers }) => {
      const respond = (): void => {
        res.writeHead(headers["x-hexhook-attempt"] === "3" ? 200 : 503).end();
      };
      held.push(respond);
      if (count >= 3) {
        held.splice(0).forEach((each) => {
          each();
        });
      }
    });
    await start(
      `${listed("ordered")}
destinations: { ordered: { url: "${ordered.url}", orderBy: /data/key, concurrency: 8 } }`,
    );
    const keys = ["a", "b", "c"];
    for (let n = 0; n < 8; n += 1) {
      for (const key of keys) {
        const body = { id: `${key}-${n}`, type: "t", data: { key } };
        await service!.post(Buffer.from(JSON.stringify(body)));
      }
    }
    await eventually(
      async () =>
        (await outcomes("/destinations/ordered", "delivery.succeeded"))
          .length === 24,
    );
    for (const key of keys) {
      const ids = ordered.ids().filter((id) => String(id).startsWith(key));
      const runs = ids.filter((id, n) => id !== ids[n - 1]);
      expect(runs).toEqual(Array.from({ length: 8 }, (_, n) => `${key}-${n}`));
    }
    expect(ordered.seen().most).toBe(3);
  });
});

describe("retention", () => {
  it("purges old events, and keeps undelivered ones", async () => {
    const day = 86_400_000;
    const time = manualTime();
    let skew = 0;
    const deps = { now: () => Date.now() + skew };
    const target = await startDestination(reply(200));
    const yaml = `${listed("target")}
destinations: { target: { url: "${target.url}" } }`;
    const env = { EVENT_RETENTION_DAYS: "2", RETRY_SCHEDULE: "10h" };
    await start(yaml, env, deps);
    await post("evt_old");
    await eventually(() => target.attempts.length === 1);
    target.answer(reply(500));
    await post("evt_undelivered");
    await eventually(() => target.attempts.length === 2);
    target.answer(reply(200));
    await post("evt_last");
    await eventually(() => target.attempts.length === 3);
    await service!.stop();

    target.answer(reply(500));
    skew = 3 * day;
    await start(yaml, env, deps);
    // A start that long after the last one purges nothing for a day.
    skew += day;
    const purges = () => outcomes("/events", "retention.purged");
    await time.passMinutesUntil(async () => (await purges()).length > 0);
    const [purged] = await purges();
    expect(purged).toMatchObject({
      userId: "system",
      result: "success",
      metadata: { events: 1, deliveries: 1, attempts: 1 },
    });
    // The kept events are still known, so their ids are duplicates. The id of the purged event is new.
    for (const [id, status] of [
      ["evt_undelivered", "duplicate"],
      ["evt_last", "duplicate"],
      ["evt_old", "accepted"],
    ] as const) {
      const body = eventBody(id);
      const answer = await service!.post(
        body,
        signed(body, { at: deps.now() }),
      );
      expect(answer.json["status"]).toBe(status);
    }
  });
});

describe("400 events at once", () => {
  it("reach a destination of concurrency 8 with eight in flight and never more", async () => {
    const EVENTS = 400;
    await recordEvents(folder.path, EVENTS, "target");
    // Eight get their responses together, a little after they have arrived, so that a ninth would be seen.
    const held: (() => void)[] = [];
    const target = await startDestination((res) => {
      held.push(() => res.writeHead(204).end());
      if (held.length === 8) {
        setTimeout(() => {
          for (const respond of held.splice(0)) {
            respond();
          }
        }, 5);
      }
    });
    await start(
      `destinations: { target: { url: "${target.url}", concurrency: 8 } }`,
      { AUDIT_STDOUT: "off" },
    );

    await eventually(() => target.attempts.length >= EVENTS);

    expect(target.seen().most).toBe(8);
    expect(target.seen().connections).toBeLessThanOrEqual(16);
    expect(target.attempts).toHaveLength(EVENTS);
    expect(new Set(target.ids()).size).toBe(EVENTS);
  });
});
