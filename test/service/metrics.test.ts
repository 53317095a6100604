import { beforeAll, describe, expect, it } from "@jest/globals";
import { readFileSync } from "node:fs";
import { type Environment, loadConfig } from "../../src/config/load-config.ts";
import { keyIdOf } from "../../src/domain/key-id.ts";
import { StoreError } from "../../src/errors.ts";
import { openStore } from "../../src/store/open.ts";
import { ADMIN_TOKEN, callAdmin } from "../support/admin-client.ts";
import { configFiles } from "../support/config-file.ts";
import { reply, startDestination } from "../support/destinations.ts";
import { eventually } from "../support/eventually.ts";
import { exchangeRaw } from "../support/exchange-raw.ts";
import {
  eventBody,
  OTHER_SECRET,
  SECRET,
  signed,
} from "../support/fixtures.ts";
import { noHandlers } from "../support/no-handlers.ts";
import { freePort } from "../support/processes.ts";
import { inProject } from "../support/project.ts";
import { parseSamples, scrape, scrapeText } from "../support/scrape.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const KEY_ID = keyIdOf(SECRET);

const requests = (source: string, outcome: string): string =>
  `hexhook_http_requests_total{source="${source}",outcome="${outcome}"}`;
const attempts = (destination: string, result: string): string =>
  `hexhook_delivery_attempts_total{destination="${destination}",result="${result}"}`;

describe("/metrics", () => {
  const folder = temporaryFolder();
  const { configFile } = configFiles(() => folder.path);
  let service: TestService;
  let destinations: Record<string, object>;
  /** What a reload reads. */
  let reloaded: Environment;

  beforeAll(async () => {
    const down = await startDestination(reply(500));
    const works = await startDestination(reply(200));
    destinations = {
      down: { url: down.url, events: ["down.*"] },
      works: { url: works.url, events: ["works.*"] },
    };
    service = await startTestService(folder.path, {
      env: {
        HANDLERS: noHandlers(folder.path),
        HEXHOOK_CONFIG: configFile(JSON.stringify({ destinations })),
        ADMIN_PORT: String(await freePort()),
        ADMIN_TOKEN,
      },
      deps: { readConfig: () => loadConfig(reloaded) },
    });
  });

  it("has every counter with 0 before anything happens", async () => {
    const samples = await scrape(service);
    expect(samples.get(requests("hex", "accepted"))).toBe(0);
    expect(samples.get(requests("none", "not_found"))).toBe(0);
    expect(samples.get(attempts("works", "exhausted"))).toBe(0);
    expect(
      samples.get('hexhook_audit_entries_total{action="store.failed"}'),
    ).toBe(0);
    expect(samples.get("hexhook_audit_suppressed_total")).toBe(0);
    expect(samples.get('hexhook_events_unrouted_total{source="hex"}')).toBe(0);
    expect(samples.get('hexhook_deliveries_pending{destination="works"}')).toBe(
      0,
    );
    expect(
      samples.has(
        'hexhook_source_last_accepted_timestamp_seconds{source="hex"}',
      ),
    ).toBe(false);
  });

  it("counts each request once, by the outcome of its response", async () => {
    const before = await scrape(service);
    const accepted = eventBody("evt_1", "works.a");
    const at = Date.now();
    const headers = signed(accepted, { at });
    const body = eventBody("evt_2", "lost.a");
    await service.post(accepted, headers);
    await service.post(accepted, headers);
    await service.post(accepted, signed(accepted, { at: at - 1000 }));
    await service.post(eventBody("evt_1", "works.b"));
    await service.post(body);
    await service.post(body, signed(body, { secret: OTHER_SECRET }));
    await service.post(body, signed(body, { at: Date.now() - 900_000 }));
    await service.request("/webhooks/unknown", { method: "POST" });
    await service.request("/webhooks/hex");
    await service.request("/livez");
    await exchangeRaw(service.port, "GARBAGE\r\n\r\n");
    const after = await scrape(service);
    const added = Object.fromEntries(
      [...after]
        .map(
          ([name, value]) => [name, value - (before.get(name) ?? 0)] as const,
        )
        .filter(
          ([name, value]) =>
            name.startsWith("hexhook_http_requests_total") && value !== 0,
        ),
    );
    expect(added).toEqual({
      [requests("hex", "accepted")]: 2,
      [requests("hex", "duplicate")]: 1,
      [requests("hex", "replayed")]: 1,
      [requests("hex", "event_id_conflict")]: 1,
      [requests("hex", "unauthorized")]: 2,
      [requests("hex", "method_not_allowed")]: 1,
      [requests("none", "not_found")]: 1,
      [requests("none", "bad_request")]: 1,
    });
    const count = (name: string): number | undefined => after.get(name);
    expect(
      count(
        'hexhook_http_request_duration_seconds_count{source="hex",outcome="accepted"}',
      ),
    ).toBe(2);
    // The replay, the duplicate, the conflict and the stale message are verified too.
    expect(count('hexhook_signature_skew_seconds_count{source="hex"}')).toBe(6);
    expect(
      count('hexhook_signature_skew_seconds_bucket{le="300",source="hex"}'),
    ).toBe(5);
    expect(count('hexhook_events_unrouted_total{source="hex"}')).toBe(1);
    expect(count("hexhook_store_commit_records_sum")).toBe(4);
    expect(
      count('hexhook_audit_entries_total{action="webhook.accepted"}'),
    ).toBe(2);
    expect(
      count("hexhook_store_commit_duration_seconds_count"),
    ).toBeGreaterThan(0);
    const lastAccepted = count(
      'hexhook_source_last_accepted_timestamp_seconds{source="hex"}',
    );
    expect(Math.abs(Date.now() / 1000 - lastAccepted!)).toBeLessThan(60);
    expect(
      count(
        `hexhook_secret_last_used_timestamp_seconds{source="hex",key_id="${KEY_ID}"}`,
      ),
    ).toBe(lastAccepted);
  });

  it("shows attempts, pending deliveries and open breakers of each destination", async () => {
    for (const n of [1, 2, 3, 4, 5]) {
      await service.post(eventBody(`evt_down_${n}`, "down.a"));
    }
    const samples = await eventually(async () => {
      const now = await scrape(service);
      const open = now.get(
        'hexhook_destination_breaker_open{destination="down"}',
      );
      return open === 1 &&
        now.get('hexhook_deliveries_pending{destination="down"}') === 5
        ? now
        : null;
    });
    expect(samples.get(attempts("down", "failed"))).toBeGreaterThanOrEqual(5);
    expect(samples.get(attempts("works", "succeeded"))).toBe(1);
    expect(
      samples.get(
        'hexhook_delivery_attempt_duration_seconds_count{destination="works"}',
      ),
    ).toBe(1);
    expect(
      samples.get(
        'hexhook_delivery_oldest_pending_seconds{destination="down"}',
      ),
    ).toBeGreaterThan(0);
    expect(
      samples.get('hexhook_destination_breaker_open{destination="works"}'),
    ).toBe(0);
  });

  it("shows whether a destination is paused", async () => {
    const paused = 'hexhook_destination_paused{destination="works"}';
    expect((await scrape(service)).get(paused)).toBe(0);
    await callAdmin(service, "POST", "/api/destinations/works/pause", {
      as: "alice",
    });
    await eventually(async () => (await scrape(service)).get(paused) === 1);
  });

  it("shows the condition of the store, the trail, the secret and the process", async () => {
    const samples = await scrape(service);
    expect(samples.get("hexhook_audit_intact")).toBe(1);
    expect(samples.get('hexhook_store_bytes{kind="database"}')).toBeGreaterThan(
      0,
    );
    expect(samples.get("hexhook_store_free_bytes")).toBeGreaterThan(0);
    expect(samples.get('hexhook_sink_degraded{sink="stdout"}')).toBe(0);
    const age = `hexhook_secret_age_days{source="hex",key_id="${KEY_ID}"}`;
    expect(samples.get(age)).toBeLessThan(1);
    expect(samples.get('hexhook_build_info{version="0.0.0-test"}')).toBe(1);
    expect(samples.get("process_start_time_seconds")).toBeGreaterThan(0);
    expect(samples.get("nodejs_heap_size_used_bytes")).toBeGreaterThan(0);
  });

  it("has the metrics that docs/metrics.md lists, with their types and labels, and no others", async () => {
    const text = await scrapeText(service);
    const samples = [...parseSamples(text).keys()];
    const labelsOf = (name: string): string[] => [
      ...new Set(
        samples
          .filter((sample) =>
            new RegExp(`^${name}(?:_bucket|_sum|_count)?(?:\\{|$)`).test(
              sample,
            ),
          )
          .flatMap((sample) =>
            [...sample.matchAll(/(\w+)="/g)].map(([, label]) => label!),
          )
          .filter((label) => label !== "le"),
      ),
    ];
    const exposed = [...text.matchAll(/^# TYPE (hexhook_\w+) (\w+)$/gm)].map(
      ([, name, type]) => ({
        name: name!,
        type: type!,
        labels: labelsOf(name!).sort(),
      }),
    );
    const documented = [
      ...readFileSync(inProject("docs", "metrics.md"), "utf8").matchAll(
        /^\| `(hexhook_\w+)` +\| (\w+) +\| ([^|]*)\|/gm,
      ),
    ].map(([, name, type, labels]) => ({
      name: name!,
      type: type!,
      labels: [...labels!.matchAll(/`(\w+)`/g)]
        .map(([, label]) => label!)
        .sort(),
    }));
    const byName = (a: { name: string }, b: { name: string }): number =>
      a.name < b.name ? -1 : 1;
    expect(documented.sort(byName)).toEqual(exposed.sort(byName));
  });

  it("needs no token, and accepts only GET and HEAD", async () => {
    const url = `http://127.0.0.1:${service.adminPort}/metrics`;
    const head = await fetch(url, { method: "HEAD" });
    expect([head.status, head.headers.get("content-type")]).toEqual([
      200,
      "text/plain; version=0.0.4; charset=utf-8",
    ]);
    const post = await fetch(url, { method: "POST" });
    expect([post.status, post.headers.get("allow")]).toEqual([
      405,
      "GET, HEAD",
    ]);
    expect((await service.request("/metrics")).status).toBe(404);
  });

  it("has the sources and destinations of a reload, and no more gauges of removed ones", async () => {
    const { down } = destinations;
    reloaded = {
      HEX_SECRET: SECRET,
      HANDLERS: noHandlers(folder.path),
      HEXHOOK_CONFIG: configFile(
        JSON.stringify({
          sources: {
            hex: { scheme: "hex", secrets: [{ env: "HEX_SECRET" }] },
            added: { scheme: "hex", secrets: [{ env: "HEX_SECRET" }] },
          },
          destinations: { down, new: down },
        }),
      ),
    };
    await service.reload();
    const samples = await scrape(service);
    expect(samples.get(requests("added", "accepted"))).toBe(0);
    expect(samples.get(attempts("new", "failed"))).toBe(0);
    const pending = (name: string): string =>
      `hexhook_deliveries_pending{destination="${name}"}`;
    expect(samples.get(pending("new"))).toBe(0);
    expect(samples.has(pending("works"))).toBe(false);
    // A secret without a date counts as overdue.
    const age = `hexhook_secret_age_days{source="hex",key_id="${KEY_ID}"}`;
    expect(samples.get(age)).toBe(Number.POSITIVE_INFINITY);
  });

  it("knows the last uses after a restart, also those that a killed process has not saved", async () => {
    const before = await scrape(service);
    await service.stop();
    const { databaseUrl } = service.config;
    const restart = async () =>
      startTestService(folder.path, {
        env: {
          HANDLERS: noHandlers(folder.path),
          ADMIN_PORT: String(await freePort()),
        },
        deps: {
          // The uses that the stopped process saved are not found.
          openStore: async (url, deps) => ({
            ...(await openStore(url, deps)),
            lastUses: async () => [],
          }),
        },
      });
    const restarted = await restart();
    expect(restarted.config.databaseUrl).toEqual(databaseUrl);
    const after = await scrape(restarted);
    for (const name of [
      'hexhook_source_last_accepted_timestamp_seconds{source="hex"}',
      `hexhook_secret_last_used_timestamp_seconds{source="hex",key_id="${KEY_ID}"}`,
    ]) {
      // The process knows when it responded, and the trail when it received the event.
      const later = before.get(name)! - after.get(name)!;
      expect(later).toBeGreaterThanOrEqual(0);
      expect(later).toBeLessThan(60);
    }
    const pending = 'hexhook_deliveries_pending{destination="down"}';
    expect(after.get(pending)).toBe(5);
    // Counters start with the process.
    expect(after.get(requests("hex", "accepted"))).toBe(0);
    // The destination is not configured any more, but its deliveries are pending.
    expect(after.has('hexhook_deliveries_pending{destination="works"}')).toBe(
      false,
    );
  });
});

describe("/metrics of a changed audit trail", () => {
  it("shows that the trail is not intact", async () => {
    const { path } = temporaryFolder();
    let isChanged = false;
    const service = await startTestService(path, {
      env: { HANDLERS: noHandlers(path), ADMIN_PORT: String(await freePort()) },
      deps: {
        openStore: async (url, deps) => {
          const store = await openStore(url, deps);
          return {
            ...store,
            probe: async () => {
              if (isChanged) {
                throw new StoreError("changed", {
                  code: "AUDIT_CHANGED",
                  fatal: false,
                });
              }
              return store.probe();
            },
          };
        },
      },
    });
    const intact = async (): Promise<number | undefined> =>
      (await scrape(service)).get("hexhook_audit_intact");
    expect(await intact()).toBe(1);
    isChanged = true;
    await eventually(async () => (await intact()) === 0);
  });
});

describe("/metrics of a store that cannot be read", () => {
  const away = new StoreError("away", { code: "TEST_AWAY", fatal: false });
  const hanging: (() => void)[] = [];
  const failing = (): Promise<never> => Promise.reject(away);
  const hang = (): Promise<never> =>
    new Promise((_resolve, reject) => {
      hanging.push(() => {
        reject(away);
      });
    });

  it.each([
    ["fails", failing],
    ["does not answer", hang],
  ])(
    "has no gauges of a store that %s, and all other metrics",
    async (_name, read) => {
      let isAway = false;
      let skippedMs = 0;
      const { path } = temporaryFolder();
      const service = await startTestService(path, {
        env: {
          HANDLERS: noHandlers(path),
          ADMIN_PORT: String(await freePort()),
        },
        deps: {
          monotonic: () => performance.now() + skippedMs,
          openStore: async (url, deps) => {
            const store = await openStore(url, deps);
            return {
              ...store,
              destinationGauges: async () =>
                isAway ? read() : store.destinationGauges(),
              probe: async () => (isAway ? read() : store.probe()),
            };
          },
        },
      });
      const free = "hexhook_store_free_bytes";
      expect((await scrape(service)).has(free)).toBe(true);
      isAway = true;
      // The last reading is not used any more.
      skippedMs = 20_000;
      const samples = await scrape(service);
      isAway = false;
      hanging.splice(0).forEach((end) => {
        end();
      });
      expect(samples.has(free)).toBe(false);
      expect(samples.has("hexhook_audit_intact")).toBe(false);
      expect(samples.has('hexhook_store_bytes{kind="database"}')).toBe(false);
      expect(samples.get(requests("hex", "accepted"))).toBe(0);
      const age = `hexhook_secret_age_days{source="hex",key_id="${KEY_ID}"}`;
      expect(samples.has(age)).toBe(true);
    },
  );
});
