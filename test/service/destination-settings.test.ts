import { beforeEach, describe, expect, it } from "@jest/globals";
import { writeFileSync } from "node:fs";
import path from "node:path";
import type { ServiceDeps } from "../../src/app/service.ts";
import type { Environment } from "../../src/config/load-config.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import { hang, reply, startDestination } from "../support/destinations.ts";
import { eventually } from "../support/eventually.ts";
import { eventBody, SECRET, signed, TODAY } from "../support/fixtures.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

let folder: string;
let service: TestService;

beforeEach(() => {
  folder = temporaryFolder().path;
});

function file(name: string, text: string): string {
  const place = path.join(folder, name);
  writeFileSync(place, text);
  return place;
}

/** Starts a service with these destinations. RETRY_SCHEDULE and ATTEMPT_TIMEOUT are an hour. */
async function start(
  destinations: Record<string, string>,
  env: Environment = {},
  deps: Partial<ServiceDeps> = {},
): Promise<void> {
  const all = Object.entries(destinations).map(
    ([name, settings]) => `  ${name}: { ${settings} }\n`,
  );
  const full = {
    HEXHOOK_CONFIG: file("hexhook.yaml", `destinations:\n${all.join("")}`),
    RETRY_SCHEDULE: "1h",
    ATTEMPT_TIMEOUT: "1h",
    SHUTDOWN_SECONDS: "1",
    HANDLERS: file(
      "handlers.mjs",
      "export default { never: () => new Promise(() => {}), fails: () => { throw new Error(); } };",
    ),
    ...env,
  };
  service = await startTestService(folder, {
    env: full,
    deps: {
      readConfig: () =>
        loadConfig({
          HEX_SECRET: SECRET,
          HEX_SECRET_CREATED_AT: TODAY,
          ...full,
        }),
      ...deps,
    },
  });
}

async function post(...ids: string[]): Promise<void> {
  for (const id of ids) {
    expect((await service.post(eventBody(id))).status).toBe(200);
  }
}

const entriesOf = async (action: string) =>
  (await service.entries()).filter((entry) => entry.action === action);

const count = (action: string, n: number) =>
  eventually(async () => {
    const entries = await entriesOf(action);
    return entries.length >= n ? entries : null;
  });

describe("a destination's own settings", () => {
  it("add its headers to each attempt, and follow changes of a secret's file", async () => {
    const { url, attempts } = await startDestination(reply(200));
    const auth = file("auth", "Bearer first-3f9c0a7be1d24458\n");
    await start(
      {
        a: `url: "${url}", headers: { X-Tenant: blue, Authorization: { file: ${auth} }, x-api-key: { env: API } }`,
      },
      { API: "k3y-9d21c05e77ab4f10" },
      { intervals: { fileWatch: 10 } },
    );
    await post("evt_1");
    await eventually(() => attempts.length === 1);
    expect(attempts[0]!.headers).toMatchObject({
      "x-tenant": "blue",
      authorization: "Bearer first-3f9c0a7be1d24458",
      "x-api-key": "k3y-9d21c05e77ab4f10",
      "webhook-id": "evt_1",
      "content-type": "application/json",
    });

    writeFileSync(auth, "Bearer second-77aa51d2e90b4c36\n");
    const [reloaded] = await count("secret.reloaded", 1);
    expect(reloaded).toMatchObject({
      resource: "/destinations/a/headers/authorization",
      result: "success",
      metadata: { destination: "a", header: "authorization", changed: true },
    });
    await post("evt_2");
    await eventually(() => attempts.length === 2);
    expect(attempts[1]!.headers.authorization).toBe(
      "Bearer second-77aa51d2e90b4c36",
    );

    writeFileSync(auth, "Bearer third\nX-Forged: 1\n");
    const [, rejected] = await count("secret.reloaded", 2);
    expect(rejected).toMatchObject({
      result: "failure",
      metadata: {
        errors: [
          expect.stringContaining("destinations.a.headers.Authorization.file"),
        ],
      },
    });
    await post("evt_3");
    await eventually(() => attempts.length === 3);
    expect(attempts[2]!.headers.authorization).toBe(
      "Bearer second-77aa51d2e90b4c36",
    );

    await service.stop();
    const shown = [
      service.stdout.text,
      service.log.text,
      JSON.stringify(await service.entries()),
    ].join();
    expect(shown).not.toMatch(/first-3f9c|second-77aa|third|k3y-9d21/);
  });

  it("include its schedule, with the waits and the number of attempts", async () => {
    const [own, other] = [
      await startDestination(reply(500)),
      await startDestination(reply(500)),
    ];
    await start({
      own: `url: "${own.url}", retrySchedule: "10ms,20ms"`,
      other: `url: "${other.url}"`,
      handler: `handler: fails, retrySchedule: [ 10ms ]`,
    });
    await post("evt_1");
    const exhausted = await count("delivery.exhausted", 2);
    expect(
      Object.fromEntries(
        exhausted.map(({ resource, metadata }) => [
          resource,
          metadata["attempt"],
        ]),
      ),
    ).toEqual({ "/destinations/own": 3, "/destinations/handler": 2 });
    expect([own.attempts.length, other.attempts.length]).toEqual([3, 1]);
  });

  it("include its timeout", async () => {
    const { url } = await startDestination(hang);
    await start({
      own: `url: "${url}", timeout: 20ms`,
      handler: `handler: never, timeout: 20ms`,
      other: `url: "${url}"`,
    });
    await post("evt_1");
    const failed = await count("delivery.failed", 2);
    expect(failed.map(({ resource }) => resource).sort()).toEqual([
      "/destinations/handler",
      "/destinations/own",
    ]);
    expect(failed.map(({ metadata }) => metadata["reason"])).toEqual([
      "timeout",
      "timeout",
    ]);
  });

  it("include a rate limit, and deliveries over the limit are not claimed", async () => {
    const [slow, fast] = [
      await startDestination(reply(200)),
      await startDestination(reply(200)),
    ];
    let elapsed = 0;
    await start(
      {
        slow: `url: "${slow.url}", rateLimit: 2/m`,
        fast: `url: "${fast.url}"`,
      },
      {},
      { monotonic: () => elapsed },
    );
    await post("evt_1", "evt_2", "evt_3", "evt_4", "evt_5");
    await eventually(() => fast.attempts.length === 5);
    await eventually(() => slow.attempts.length === 2);
    // A reload that replaces the destination does not reset the rate limit.
    file(
      "hexhook.yaml",
      `destinations:\n  slow: { url: "${slow.url}?2", rateLimit: 2/m }\n  fast: { url: "${fast.url}" }\n`,
    );
    await service.reload();
    await post("evt_6");
    await eventually(() => fast.attempts.length === 6);
    elapsed = 59_999;
    await post("evt_7");
    await eventually(() => fast.attempts.length === 7);
    expect(slow.attempts).toHaveLength(2);
    const events = await service.entries();
    expect(
      events.filter(({ resource }) => resource === "/destinations/slow"),
    ).toHaveLength(2);
    elapsed = 60_000;
    await eventually(() => slow.attempts.length === 4);
    expect(slow.ids().sort()).toEqual(["evt_1", "evt_2", "evt_3", "evt_4"]);
    expect(slow.attempts.map(({ path: at }) => at).slice(2)).toEqual([
      "/hooks?2",
      "/hooks?2",
    ]);
    expect(
      slow.attempts.map(({ headers }) => headers["x-hexhook-attempt"]),
    ).toEqual(["1", "1", "1", "1"]);
  });

  it("include an age after which deliveries are exhausted without another attempt", async () => {
    const [down, ok] = [
      await startDestination(reply(500)),
      await startDestination(reply(200)),
    ];
    let clock = Date.now();
    await start(
      {
        down: `url: "${down.url}", maxAge: 2h, orderBy: /data/n, retrySchedule: 10h`,
        ok: `url: "${ok.url}", maxAge: 2h`,
        handler: "handler: never, maxAge: 3h",
      },
      { REPLAY_WINDOW_SECONDS: "900" },
      { now: () => clock },
    );
    await post("evt_1", "evt_2");
    await count("delivery.failed", 1);
    await eventually(() => ok.attempts.length === 2);
    clock += 7_200_000;
    // Ages are judged before each claim, so they were judged once this one is attempted. It has no key and waits for no other.
    const young = Buffer.from(`{"id":"evt_3","type":"resource.created"}`);
    const accepted = await service.post(young, signed(young, { at: clock }));
    expect(accepted.status).toBe(200);
    await eventually(() => down.attempts.length === 2);
    await eventually(() => ok.attempts.length === 3);
    expect(await entriesOf("delivery.exhausted")).toEqual([]);
    clock += 1000;
    const exhausted = await count("delivery.exhausted", 2);
    expect(
      exhausted.map(({ resource, metadata }) => [
        resource,
        metadata["eventId"],
        metadata["reason"],
      ]),
    ).toEqual([
      ["/destinations/down", "evt_1", "too_old"],
      ["/destinations/down", "evt_2", "too_old"],
    ]);
    expect(down.ids()).toEqual(["evt_1", "evt_3"]);
  });
});
