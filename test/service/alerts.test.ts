import { beforeEach, expect, it } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { Writable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import type { ServiceDeps } from "../../src/app/service.ts";
import type { Environment } from "../../src/config/load-config.ts";
import { openStore } from "../../src/store/open.ts";
import type { Store } from "../../src/store/port.ts";
import { ADMIN_TOKEN, callAdmin } from "../support/admin-client.ts";
import {
  reply,
  startDestination,
  type TestDestination,
} from "../support/destinations.ts";
import { eventually } from "../support/eventually.ts";
import { eventBody, OTHER_SECRET, signed } from "../support/fixtures.ts";
import { freePort } from "../support/processes.ts";
import { dashboardQueries, ruleExpressions } from "../support/monitoring.ts";
import {
  type Alert,
  differences,
  type Exposed,
  firing,
  type Scrape,
  type Timeline,
} from "../support/promtool.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { openFile } from "../support/store-file.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { describeWith, withTool } from "../support/tools.ts";

/*
 * Each test makes the condition of an alert real in a running service. promtool then judges what the service exposed before and
 * after it: no alert at all before, and afterwards exactly the expected ones.
 */

const START = 10;
/** The minute at which the condition is made real. */
const CHANGE = 30;
const DAY_MS = 86_400_000;
/** A reading of the store is not reused for longer. */
const REUSE_MS = 10_000;

let folder: string;
let destination: TestDestination;
/** How far the clock of the services is ahead. */
let ahead: { ms: number };

beforeEach(async () => {
  folder = temporaryFolder().path;
  destination = await startDestination(reply(200));
  ahead = { ms: 0 };
});

const now = (): number => Date.now() + ahead.ms;

async function start(
  env: Environment = {},
  deps: Partial<ServiceDeps> = {},
  within = folder,
): Promise<TestService> {
  return startTestService(within, {
    env: {
      ADMIN_PORT: String(await freePort()),
      ADMIN_TOKEN,
      FORWARD_URL: destination.url,
      RETRY_SCHEDULE: "10h",
      AUDIT_STDOUT: "off",
      ...env,
    },
    deps: { now, ...deps },
  });
}

let sent = 0;

async function post(
  service: TestService,
  headers?: (body: Buffer) => Readonly<Record<string, string>>,
): Promise<number> {
  const body = eventBody(`evt_${(sent += 1)}`);
  const all = headers?.(body) ?? signed(body, { at: now() });
  return (await service.post(body, all)).status;
}

async function scrape({ adminPort }: TestService): Promise<Exposed> {
  const response = await fetch(`http://127.0.0.1:${adminPort}/metrics`);
  expect(response.status).toBe(200);
  return { text: await response.text(), at: now() / 1000 };
}

/** Scrapes until the service exposes what is expected. Both replicas of the timeline report it. */
async function scrapeWhen(
  service: TestService,
  isExpected: (text: string) => boolean,
): Promise<Scrape> {
  return replicas(
    await eventually(async () => {
      ahead.ms += REUSE_MS;
      const exposed = await scrape(service);
      return isExpected(exposed.text) ? exposed : null;
    }),
  );
}

const scrapeWith = (service: TestService, pattern: RegExp): Promise<Scrape> =>
  scrapeWhen(service, (text) => pattern.test(text));

const lastAccepted = (text: string): number =>
  Number(
    /^hexhook_source_last_accepted_timestamp_seconds\{.*\} (.*)$/m.exec(
      text,
    )?.[1],
  );

/** Two processes on one store report the same gauges. */
const replicas = (exposed: Exposed | null): Scrape => ({
  a: exposed,
  b: exposed,
});

/** Scrapes a service that works: it has delivered an event, and recognised another one as a duplicate. */
async function healthy(service: TestService): Promise<Scrape> {
  expect(await post(service)).toBe(200);
  const body = eventBody(`evt_${sent}`);
  const again = signed(body, { at: now() + 1000 });
  expect((await service.post(body, again)).status).toBe(200);
  return scrapeWith(service, /attempts_total\{.*succeeded.*\} [1-9]/);
}

/** Expects these alerts to fire after some minutes of the condition, and none to fire just before it. */
function expectAlerts(
  timeline: Timeline,
  minutes: number,
  ...alerts: Alert[]
): void {
  expect(
    differences(timeline, [
      firing(CHANGE - 1),
      firing(CHANGE + minutes, ...alerts),
    ]),
  ).toBe("");
}

/** Opens the store with some methods replaced. */
const storeWith =
  (
    replace: (store: Store) => Partial<Store>,
  ): NonNullable<ServiceDeps["openStore"]> =>
  async (...args) => {
    const store = await openStore(...args);
    return { ...store, ...replace(store) };
  };

/** Starts a service whose file system has this number of free bytes. */
const startWithFree = (free: () => number): Promise<TestService> =>
  start(
    {},
    {
      openStore: storeWith(({ storeBytes }) => ({
        storeBytes: async () => ({ ...(await storeBytes()), free: free() }),
      })),
    },
  );

describeWith("promtool")(withTool("promtool", "the alerts"), () => {
  it("HexhookDown: no process answers", async () => {
    const service = await start();
    const before = await healthy(service);
    await service.stop();
    await expect(scrape(service)).rejects.toThrow();
    expectAlerts(
      [
        [START, before],
        [CHANGE, replicas(null)],
      ],
      2,
      { alertname: "HexhookDown" },
    );
  });

  it("HexhookReplicaDown: one of two processes does not answer", async () => {
    const [a, b] = [await start(), await start({}, {}, temporaryFolder().path)];
    const before = { ...(await healthy(a)), b: await scrape(b) };
    await b.stop();
    await expect(scrape(b)).rejects.toThrow();
    expectAlerts(
      [
        [START, before],
        [CHANGE, { a: await scrape(a), b: null }],
      ],
      6,
      { alertname: "HexhookReplicaDown", instance: "b" },
    );
  });

  it("HexhookUnavailable: another process holds the lock of the store", async () => {
    const service = await start();
    const before = await healthy(service);
    const other = openFile(path.join(folder, "hexhook.db"));
    other.exec("BEGIN IMMEDIATE");
    expect(await post(service)).toBe(503);
    other.exec("ROLLBACK");
    other.close();
    expectAlerts(
      [
        [START, before],
        [CHANGE, replicas(await scrape(service))],
      ],
      3,
      { alertname: "HexhookUnavailable" },
    );
  });

  it("HexhookSlowAcknowledgement: the commits take longer than a second", async () => {
    let commitMs = 0;
    const service = await start(
      {},
      {
        openStore: storeWith(({ record }) => ({
          record: async (one) => {
            const recorded = await record(one);
            await delay(commitMs);
            return recorded;
          },
        })),
      },
    );
    const before = await healthy(service);
    commitMs = 1100;
    const slow: [number, Scrape][] = [];
    for (const minute of [0, 4, 8]) {
      expect(await post(service)).toBe(200);
      slow.push([CHANGE + minute, replicas(await scrape(service))]);
    }
    expectAlerts([[START, before], ...slow], 11, {
      alertname: "HexhookSlowAcknowledgement",
    });
  });

  it("HexhookRequestsRejected: the sender signs with another secret, and scanners are not counted", async () => {
    const service = await start();
    const first = await healthy(service);
    for (let n = 0; n < 10; n += 1) {
      const body = eventBody("evt_scan");
      const { status } = await service.post(body, {}, "/webhooks/wp-admin");
      expect(status).toBe(404);
    }
    const scanned = replicas(await scrape(service));
    for (let n = 0; n < 6; n += 1) {
      const status = await post(service, (body) =>
        signed(body, { secret: OTHER_SECRET }),
      );
      expect(status).toBe(401);
    }
    expectAlerts(
      [
        [START, first],
        [CHANGE - 10, scanned],
        [CHANGE, replicas(await scrape(service))],
      ],
      6,
      {
        alertname: "HexhookRequestsRejected",
        source: "hex",
        outcome: "unauthorized",
      },
    );
  });

  it("HexhookSourceSilent: a source that sends once a day sends nothing for more than two days", async () => {
    const service = await start();
    // An evaluation every two hours is enough for days.
    const STEP = 120;
    const days: [number, Scrape][] = [];
    for (let day = 0; day < 10; day += 1) {
      const sentAt = now() / 1000;
      expect(await post(service)).toBe(200);
      days.push([
        STEP + day * 1440,
        await scrapeWhen(service, (text) => lastAccepted(text) > sentAt),
      ]);
      ahead.ms += DAY_MS;
    }
    const [last] = days.at(-1)!;
    const silent: Alert = { alertname: "HexhookSourceSilent", source: "hex" };
    const after = (hours: number): number => last + hours * 60;
    // The silence itself does not become usual before an operator has seen it.
    const expected = [
      firing(last - STEP),
      firing(after(42)),
      ...[50, 130].map((hours) => firing(after(hours), silent)),
    ];
    expect(differences(days, expected, STEP)).toBe("");
  });

  it.each([
    ["is 90 days old", 90, /secret_age_days\{.*\} 90[.\n]/],
    ["has no date", null, /secret_age_days\{.*\} \+Inf\n/],
  ])("HexhookSecretOverdue: a secret %s", async (_what, days, exposed) => {
    const service = await start();
    const before = await healthy(service);
    await service.stop();
    const createdAt =
      days === null ? "" : new Date(now() - days * DAY_MS).toISOString();
    const old = await start({ HEX_SECRET_CREATED_AT: createdAt });
    expectAlerts(
      [
        [START, before],
        [CHANGE, await scrapeWith(old, exposed)],
      ],
      6,
      {
        alertname: "HexhookSecretOverdue",
        source: "hex",
        key_id: old.config.sources[0]!.secrets[0]!.keyId,
      },
    );
  });

  it("HexhookDeliveriesDelayed: a delivery waits for half an hour, unless an operator paused the destination", async () => {
    const service = await start();
    const before = await healthy(service);
    destination.answer(reply(500));
    expect(await post(service)).toBe(200);
    await scrapeWith(service, /attempts_total\{.*failed.*\} [1-9]/);
    ahead.ms += 1_900_000;
    const old = /oldest_pending_seconds\{.*\} (?:[2-9]|1[89])\d\d/;
    const delayed = await scrapeWith(service, old);
    await callAdmin(service, "POST", "/api/destinations/forward/pause");
    const paused = await scrapeWith(service, /destination_paused\{.*\} 1/);
    expectAlerts(
      [
        [START, before],
        [CHANGE, delayed],
      ],
      6,
      { alertname: "HexhookDeliveriesDelayed", destination: "forward" },
    );
    expectAlerts(
      [
        [START, before],
        [CHANGE, paused],
      ],
      119,
    );
    expectAlerts(
      [
        [START, before],
        [CHANGE, paused],
      ],
      121,
      { alertname: "HexhookDestinationPaused", destination: "forward" },
    );
  });

  it("HexhookDeliveriesExhausted: the destination responds with 410", async () => {
    const service = await start();
    const before = await healthy(service);
    destination.answer(reply(410));
    expect(await post(service)).toBe(200);
    expectAlerts(
      [
        [START, before],
        [
          CHANGE,
          await scrapeWith(service, /attempts_total\{.*exhausted.*\} [1-9]/),
        ],
      ],
      1,
      { alertname: "HexhookDeliveriesExhausted", destination: "forward" },
    );
  });

  it("HexhookDeliveriesExhausted: a delivery is older than maxAge", async () => {
    const yaml = path.join(folder, "hexhook.yaml");
    writeFileSync(
      yaml,
      `destinations: { slow: { url: "${destination.url}", maxAge: 1h } }
sources: { hex: { destinations: [slow] } }`,
    );
    const service = await start({
      HEXHOOK_CONFIG: yaml,
      FORWARD_URL: undefined,
    });
    const before = await healthy(service);
    destination.answer(reply(500));
    expect(await post(service)).toBe(200);
    await scrapeWith(service, /attempts_total\{.*failed.*\} 1\n/);
    ahead.ms += 2 * 3_600_000;
    // The worker wakes up for a new event.
    destination.answer(reply(200));
    expect(await post(service)).toBe(200);
    expectAlerts(
      [
        [START, before],
        [
          CHANGE,
          await scrapeWith(service, /entries_total\{.*exhausted.*\} 1\n/),
        ],
      ],
      1,
      { alertname: "HexhookDeliveriesExhausted" },
    );
  });

  it("HexhookBreakerOpen: the destination is down", async () => {
    const service = await start();
    const before = await healthy(service);
    await destination.close();
    for (let n = 0; n < 5; n += 1) {
      expect(await post(service)).toBe(200);
    }
    expectAlerts(
      [
        [START, before],
        [CHANGE, await scrapeWith(service, /breaker_open\{.*\} 1/)],
      ],
      6,
      { alertname: "HexhookBreakerOpen", destination: "forward" },
    );
  });

  it("HexhookAuditNotIntact: the last entry of the trail was deleted", async () => {
    const service = await start();
    const before = await healthy(service);
    const other = openFile(path.join(folder, "hexhook.db"));
    other.exec(
      "DELETE FROM audit_entry WHERE position = (SELECT max(position) FROM audit_entry)",
    );
    other.close();
    await eventually(
      async () => (await service.request("/readyz")).status === 503,
    );
    expectAlerts(
      [
        [START, before],
        [CHANGE, await scrapeWith(service, /audit_intact 0/)],
      ],
      1,
      { alertname: "HexhookAuditNotIntact" },
    );
  });

  it("HexhookSinkDegraded and HexhookSinkLagging: AUDIT_FILE cannot be written, and stdout is not read", async () => {
    const file = path.join(folder, "audit.log");
    const written: (() => void)[] = [];
    let isRead = true;
    const stdout = new Writable({
      write(_chunk, _encoding, callback) {
        if (isRead) {
          callback();
        } else {
          written.push(callback);
        }
      },
    });
    const service = await start(
      { AUDIT_FILE: file, AUDIT_STDOUT: "json" },
      { stdout, sinkTimes: { poll: 20, retryWaits: [20], stuck: 600_000 } },
    );
    await healthy(service);
    const before = await scrapeWhen(
      service,
      (text) =>
        text.includes('lag_entries{sink="file"} 0\n') &&
        text.includes('lag_entries{sink="stdout"} 0\n'),
    );
    isRead = false;
    renameSync(file, `${file}.old`);
    mkdirSync(file);
    expect(await post(service)).toBe(200);
    const after = await scrapeWith(service, /sink_degraded\{sink="file"\} 1\n/);
    isRead = true;
    for (const callback of written) {
      callback();
    }
    expectAlerts(
      [
        [START, before],
        [CHANGE, after],
      ],
      20,
      { alertname: "HexhookSinkDegraded", sink: "file" },
      { alertname: "HexhookSinkLagging", sink: "file" },
      { alertname: "HexhookSinkLagging", sink: "stdout" },
    );
  });

  it("HexhookDiskAlmostFull: less than 1 GB is left", async () => {
    let free = 5e9;
    const service = await startWithFree(() => free);
    const before = await healthy(service);
    free = 9e8;
    expectAlerts(
      [
        [START, before],
        [CHANGE, await scrapeWith(service, /free_bytes 900000000\n/)],
      ],
      6,
      { alertname: "HexhookDiskAlmostFull", instance: "a" },
      { alertname: "HexhookDiskAlmostFull", instance: "b" },
    );
  });

  it("HexhookDiskFilling: the disk loses 1 GB in an hour", async () => {
    let free = 3e10;
    const service = await startWithFree(() => free);
    const hours: [number, Scrape][] = [[START, await healthy(service)]];
    for (const hour of [0, 1, 2]) {
      free -= 1e9;
      const expected = `free_bytes ${free}\n`;
      hours.push([
        CHANGE + 60 * hour,
        await scrapeWhen(service, (text) => text.includes(expected)),
      ]);
    }
    expectAlerts(
      hours,
      179,
      { alertname: "HexhookDiskFilling", instance: "a" },
      { alertname: "HexhookDiskFilling", instance: "b" },
    );
  });
});

describeWith("promtool")(
  withTool("promtool", "the queries of the rules and the dashboard"),
  () => {
    it("find metrics that promtool accepts", async () => {
      const service = await start();
      await healthy(service);
      const { text } = await scrape(service);
      const { stderr } = spawnSync("promtool", ["check", "metrics"], {
        input: text,
        encoding: "utf8",
      });
      // Those of Node.js and the process have the names that prom-client gives them.
      const own = stderr
        .split("\n")
        .filter((line) => line !== "" && !/^(?:nodejs|process)_/.test(line));
      expect(own).toEqual([
        'hexhook_secret_age_days use base unit "seconds" instead of "days"',
      ]);
    });

    it("have a result for a service that works", async () => {
      const service = await start({
        AUDIT_FILE: path.join(folder, "audit.log"),
      });
      const before = await healthy(service);
      const after = await healthy(service);
      const queries = [
        ...dashboardQueries(),
        // Without the comparisons.
        ...ruleExpressions().flatMap(
          (expr) => expr.match(/\bhexhook[_:]\w+(?:\{[^}]*\})?/g) ?? [],
        ),
      ];
      expect(queries.length).toBeGreaterThan(50);
      expect(
        differences(
          [
            [START, before],
            [CHANGE, after],
          ],
          queries.map((query) => ({
            minute: CHANGE + 1,
            query: `clamp_max(count(${query}), 1)`,
            series: [[{}, 1]],
          })),
        ),
      ).toBe("");
    });
  },
);
