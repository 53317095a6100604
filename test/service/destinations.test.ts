import type { Settlement } from "../../src/store/records.ts";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { Webhook } from "standardwebhooks";
import type { Environment } from "../../src/config/load-config.ts";
import { StoreError } from "../../src/errors.ts";
import { settleWithRetry } from "../../src/delivery/settle-with-retry.ts";
import type { ServiceDeps } from "../../src/app/service.ts";
import { openStore } from "../../src/store/open.ts";
import {
  hang,
  reply,
  type Reply,
  startDestination,
} from "../support/destinations.ts";
import {
  SIGNING_KEY,
  WEBHOOK_REQUEST,
  eventBody,
  signed,
  sqliteUrl,
} from "../support/fixtures.ts";
import { eventually } from "../support/eventually.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { serve } from "../support/processes.ts";

let folder: ReturnType<typeof temporaryFolder>;
let service: TestService | undefined;
let closers: (() => Promise<unknown>)[];

beforeEach(() => {
  folder = temporaryFolder();
  closers = [];
  service = undefined;
});

afterEach(async () => {
  await service?.stop();
  for (const close of closers) {
    await close();
  }
});

async function destination(answer: Reply) {
  const made = await startDestination(answer);
  closers.push(made.close);
  return made;
}

function file(name: string, text: string): string {
  const place = path.join(folder.path, name);
  writeFileSync(place, text);
  return place;
}

/** A service with the destinations of a configuration file. */
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
  it("each get the events of their patterns, signed with their own secret, and no others", async () => {
    const [invoices, all] = [
      await destination(reply(200)),
      await destination(reply(200)),
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
    // Where a list says where events go, the built-in handlers step aside.
    expect((await service!.entries())[0]!.metadata["destinations"]).toEqual([
      "invoices",
      "all",
    ]);
  });

  it("may be functions of the handlers module under names of their own; the rest of it runs as ever", async () => {
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

  it("that name a function which is not there are a configuration fault", async () => {
    await expect(
      start(`destinations: { build: { handler: ci } }`),
    ).rejects.toMatchObject({
      name: "ConfigError",
      message: expect.stringMatching(
        /^HEXHOOK_CONFIG: destinations\.build\.handler: .* has no function "ci"/,
      ),
    });
  });

  it("do not wait for one another: one hangs, the other gets everything at full speed", async () => {
    const [dead, well] = [
      await destination(hang),
      await destination(reply(200)),
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
    const well = await destination(reply(200));
    await start(
      `destinations: { well: { url: "${well.url}", concurrency: 1 } }`,
    );
    for (let n = 0; n < 20; n += 1) {
      await post(`evt_${n}`);
    }
    await eventually(() => well.attempts.length === 20);
    expect(well.seen().connections).toBe(1);
  });

  it("at a link-local address are never connected to, nor private ones where they are not allowed", async () => {
    const inside = await destination(reply(200));
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
  it("keeps the attempts of what waits, and lets everything through once a probe succeeds", async () => {
    const flaky = await destination(reply(500));
    await start(
      `${listed("flaky")}
destinations: { flaky: { url: "${flaky.url}", concurrency: 2 } }`,
      { RETRY_SCHEDULE: "150ms,150ms,150ms" },
    );
    const events = 60;
    for (let n = 0; n < events; n += 1) {
      await post(`evt_${n}`);
    }
    // Without a breaker each of them would have used up its four attempts long before.
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
  it("puts the next attempt off as long as it says", async () => {
    const busy = await destination((res, count) => {
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
  it("gets the events of one key one after another, however often they fail, and others beside them", async () => {
    // The first of each key is answered when all three are there: they do go side by side.
    const held: (() => void)[] = [];
    const ordered = await destination((res, count, { headers }) => {
      const answer = (): void => {
        res.writeHead(headers["x-hexhook-attempt"] === "3" ? 200 : 503).end();
      };
      held.push(answer);
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
  it("purges what is past its days, and keeps what is not delivered", async () => {
    const day = 86_400_000;
    let skew = 0;
    const deps = { now: () => Date.now() + skew };
    const target = await destination(reply(200));
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
    const [purged] = await eventually(async () => {
      const found = await outcomes("/events", "retention.purged");
      return found.length > 0 ? found : null;
    });
    expect(purged).toMatchObject({
      userId: "system",
      result: "success",
      metadata: { events: 1, deliveries: 1, attempts: 1 },
    });
    // Known still, so their ids are no news; the purged one's is.
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

describe("10,000 events at once", () => {
  it("reach a destination of concurrency 8, never more than 8 in flight, in little memory", async () => {
    const total = 10_000;
    const target = await destination(reply(204));
    const store = await openStore(
      sqliteUrl(path.join(folder.path, "hexhook.db")),
      {
        signingKey: SIGNING_KEY,
        writer: "test",
        now: Date.now,
        onFatal: () => undefined,
        delivers: false,
      },
    );
    const body = Buffer.alloc(1024, "x");
    await Promise.all(
      Array.from({ length: total }, (_, n) =>
        store.record({
          event: {
            source: "hex",
            id: `evt_${n}`,
            type: "t",
            receivedAt: Date.now(),
            contentType: "application/json",
            headers: "{}",
            body,
          },
          deliveries: [{ destination: "target", orderKey: null }],
          claim: {
            signedAt: 1,
            replayKey: Buffer.from(String(n).padStart(32, "0")),
          },
          request: WEBHOOK_REQUEST,
        }),
      ),
    );
    await store.close();
    file(
      "hexhook.yaml",
      `destinations: { target: { url: "${target.url}", concurrency: 8 } }`,
    );
    const running = await serve(folder.path, {
      HEXHOOK_CONFIG: "hexhook.yaml",
      AUDIT_STDOUT: "off",
    });

    await eventually(() => target.attempts.length === total);

    expect(target.seen().most).toBeLessThanOrEqual(8);
    expect(target.seen().connections).toBeLessThanOrEqual(16);
    expect(new Set(target.ids()).size).toBe(total);
    const status = readFileSync(`/proc/${running.child.pid!}/status`, "utf8");
    const highWaterKib = Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]);
    expect(highWaterKib).toBeLessThan(250_000);
    await running.stop();
  });
});

describe("an outcome that cannot be written", () => {
  const settlement = {} as Settlement;
  const fault = (fatal: boolean, code = "SQLITE_FULL") =>
    new StoreError("no", { code, fatal });

  it("is written again and again while the fault is one that passes, and told of once", async () => {
    const told: unknown[] = [];
    let tries = 0;
    await settleWithRetry(
      {
        settle: async () => {
          tries += 1;
          if (tries < 3) {
            throw fault(false);
          }
          return true;
        },
        onError: (error) => told.push(error),
      },
      settlement,
      new AbortController().signal,
    );
    expect([tries, told.length]).toEqual([3, 1]);
  });

  it.each([
    ["is fatal", fault(true), false],
    ["is one of the program", fault(false, "STORE_PROGRAM_FAULT"), false],
    ["does not pass before the stop", fault(false), true],
  ])("is given up when the fault %s", async (_what, error, aborted) => {
    let tries = 0;
    const signal = aborted ? AbortSignal.abort() : new AbortController().signal;
    const written = settleWithRetry(
      {
        settle: async () => {
          tries += 1;
          throw error;
        },
        onError: () => undefined,
      },
      settlement,
      signal,
    );
    await expect(written).rejects.toBe(error);
    expect(tries).toBe(1);
  });
});
