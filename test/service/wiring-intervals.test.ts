import { beforeEach, describe, expect, it } from "@jest/globals";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import path from "node:path";
import type { ParsedEntry } from "../../src/audit/parsed-entry.ts";
import { acceptedSocket } from "../support/active-handles.ts";
import { eventually } from "../support/eventually.ts";
import { exchangeRaw } from "../support/exchange-raw.ts";
import { eventBody, OTHER_SECRET, signed } from "../support/fixtures.ts";
import { manualTime } from "../support/manual-time.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { readColumn } from "../support/store-file.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/*
 * The default intervals of a running service. Time stands still unless a test moves it, so that nothing happens too early by
 * chance.
 */

const DAY_MS = 86_400_000;
const START = 1_800_000_000_000;

let folder: string;
let handlers: string;
let time: ReturnType<typeof manualTime>;
let clock: { ms: number };

beforeEach(() => {
  folder = temporaryFolder().path;
  handlers = path.join(folder, "none.mjs");
  writeFileSync(handlers, "export default {};\n");
  time = manualTime();
  clock = { ms: START };
});

const start = (env: Record<string, string | undefined> = {}) =>
  startTestService(folder, {
    env: { AUDIT_STDOUT: "off", HANDLERS: handlers, ...env },
    deps: { now: () => clock.ms },
  });

/** Moves both clocks. */
function advance(ms: number): void {
  clock.ms += ms;
  time.advance(ms);
}

let sent = 0;
/** Sends an event. All earlier operations of the store are done when it is stored. */
async function deliver(service: TestService): Promise<string> {
  const id = `evt_${(sent += 1)}`;
  // No handler matches, so the event has only one audit entry.
  const body = eventBody(id, "nothing.listens");
  const { status } = await service.post(body, signed(body, { at: clock.ms }));
  expect(status).toBe(200);
  return id;
}

interface Request {
  readonly body: Buffer;
  readonly headers: Record<string, string>;
}

function forged(further: Record<string, string> = {}): Request {
  const body = eventBody("evt_forged");
  const headers = signed(body, { secret: OTHER_SECRET, at: clock.ms });
  return { body, headers: { ...headers, ...further } };
}

/** Sends this number of requests over one connection, and waits for all responses. */
async function flood(
  service: TestService,
  times: number,
  make: (n: number) => Request,
): Promise<void> {
  const requests = Array.from({ length: times }, (_, n) => {
    const { body, headers } = make(n);
    const lines = Object.entries({
      host: "h",
      ...headers,
      "content-length": String(body.length),
      ...(n === times - 1 ? { connection: "close" } : {}),
    }).map(([name, value]) => `${name}: ${value}\r\n`);
    const head = `POST /webhooks/hex HTTP/1.1\r\n${lines.join("")}\r\n`;
    return Buffer.concat([Buffer.from(head), body]);
  });
  const text = await exchangeRaw(service.port, Buffer.concat(requests));
  expect(text.match(/HTTP\/1\.1 \d{3} /g)).toHaveLength(times);
}

const of = (entries: readonly ParsedEntry[], action: string): ParsedEntry[] =>
  entries.filter((entry) => entry.action === action);

const count = async (service: TestService, action: string): Promise<number> =>
  of(await service.entries(), action).length;

function stored(sql: string): unknown[] {
  return readColumn(path.join(folder, "hexhook.db"), sql);
}

describe("checkpoints", () => {
  const ACTION = "audit.checkpoint";

  it("are written every 60 s if there was an entry", async () => {
    const service = await start();
    expect(await count(service, ACTION)).toBe(1);
    await deliver(service);
    advance(59_999);
    await deliver(service);
    expect(await count(service, ACTION)).toBe(1);
    advance(1);
    await eventually(async () => (await count(service, ACTION)) === 2);
    expect(await service.lastEntry()).toMatchObject({ action: ACTION });
    // There is no new entry.
    advance(60_000);
    await deliver(service);
    expect(await count(service, ACTION)).toBe(2);
    advance(60_000);
    await eventually(async () => (await count(service, ACTION)) === 3);
  });

  it("are also written every 1,000 entries", async () => {
    const service = await start();
    await flood(service, 1010, (n) => {
      const body = eventBody(`evt_many_${n}`);
      return { body, headers: signed(body, { at: clock.ms }) };
    });
    const checkpoints = of(await service.entries(), ACTION);
    const seqs = checkpoints.map(({ chain }) => chain.seq);
    // The second entry is a checkpoint, then one after each thousand entries.
    expect(seqs.slice(0, 2)).toEqual([2, 1002]);
  });
});

describe("audit.suppressed", () => {
  it("is written 10 s after entries were suppressed", async () => {
    const service = await start();
    const forge = (times: number) => flood(service, times, () => forged());
    const suppressed = async () =>
      of(await service.entries(), "audit.suppressed");
    // The limit is 60 a minute for one address.
    await forge(62);
    expect(await count(service, "webhook.rejected")).toBe(60);
    advance(9_999);
    await deliver(service);
    expect(await suppressed()).toEqual([]);
    advance(1);
    await eventually(async () => (await suppressed()).length === 1);
    expect(await suppressed()).toMatchObject([
      { metadata: { count: 2, reasons: { bad_signature: 2 } } },
    ]);
    // The limit applies until the minute is over.
    advance(49_999);
    await forge(1);
    expect(await count(service, "webhook.rejected")).toBe(60);
    advance(1);
    await forge(1);
    expect(await count(service, "webhook.rejected")).toBe(61);
  });

  it("counts the entries above 600 a minute from all addresses together", async () => {
    const service = await start({ TRUST_PROXY: "1" });
    await flood(service, 660, (n) =>
      forged({ "x-forwarded-for": `192.0.2.${n % 11}` }),
    );
    expect(await count(service, "webhook.rejected")).toBe(600);
    advance(10_000);
    await eventually(async () => {
      const [entry] = of(await service.entries(), "audit.suppressed");
      return entry?.metadata["count"] === 60;
    });
  });
});

describe("the age of the secret", () => {
  it("is checked at startup and every day", async () => {
    const service = await start({ HEX_SECRET_CREATED_AT: undefined });
    const overdue = () => count(service, "secret.overdue");
    await eventually(async () => (await overdue()) === 1);
    advance(DAY_MS - 1);
    await deliver(service);
    expect(await overdue()).toBe(1);
    advance(1);
    await eventually(async () => (await overdue()) === 2);
  });
});

describe("replay claims", () => {
  it("are deleted 900 s after the end of their window", async () => {
    const service = await start({ REPLAY_WINDOW_SECONDS: "300" });
    const body = eventBody("evt_claimed");
    const first = signed(body, { at: clock.ms });
    const retry = signed(body, { at: clock.ms + 1000 });
    expect((await service.post(body, first)).json["status"]).toBe("accepted");
    expect((await service.post(body, retry)).json["status"]).toBe("duplicate");
    advance(299_000);
    await deliver(service);
    // The window has not passed.
    expect((await service.post(body, first)).json["code"]).toBe("replayed");
    expect((await service.post(body, retry)).json["code"]).toBe("replayed");
    const claims = () => stored("SELECT count(*) FROM replay_claim")[0];
    // 1 s until the end of the window, 1 s since the request, and 900 s for a clock that is set back.
    advance(902_000);
    await deliver(service);
    expect(claims()).toBe(1);
    advance(1000);
    await eventually(() => claims() === 0);
  });
});

describe("retention", () => {
  it("purges events older than EVENT_RETENTION_DAYS every minute, and no others", async () => {
    const service = await start({ EVENT_RETENTION_DAYS: "2" });
    const ids = () => stored("SELECT id FROM event ORDER BY seq");
    const old = await deliver(service);
    advance(DAY_MS);
    const young = await deliver(service);
    expect(ids()).toEqual([old, young]);
    // The oldest event is too old now, but is not purged before the minute is over.
    clock.ms += DAY_MS + 1;
    time.advance(59_999);
    const youngest = await deliver(service);
    expect(ids()).toEqual([old, young, youngest]);
    time.advance(1);
    await time.passMinutesUntil(() => ids().length < 3);
    expect(ids()).toEqual([young, youngest]);
  });

  it("purges entries older than AUDIT_RETENTION_DAYS, and no others", async () => {
    const service = await start({ AUDIT_RETENTION_DAYS: "2" });
    const checkpoints = () => count(service, "audit.checkpoint");
    const eventIds = async () =>
      of(await service.entries(), "webhook.accepted").map(
        ({ metadata }) => metadata["eventId"],
      );
    const old = await deliver(service);
    advance(60_000);
    await eventually(async () => (await checkpoints()) === 2);
    advance(DAY_MS);
    const young = await deliver(service);
    advance(60_000);
    await eventually(async () => (await checkpoints()) >= 3);
    expect(await eventIds()).toEqual([old, young]);
    clock.ms += DAY_MS;
    await time.passMinutesUntil(async () => (await eventIds()).length < 2);
    expect(await eventIds()).toEqual([young]);
    expect(await count(service, "retention.purged")).toBe(1);
  });
});

describe("a client that makes no progress", () => {
  it.each([
    ["30 s", "65", 30_000],
    ["KEEP_ALIVE_SECONDS if that is shorter", "5", 5000],
  ])("is disconnected after %s", async (_what, seconds, limitMs) => {
    const service = await start({ KEEP_ALIVE_SECONDS: seconds });
    const socket = connect(service.port, "127.0.0.1");
    await once(socket, "connect");
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString();
    });
    socket.write("GET /livez HTTP/1.1\r\nhost: h\r\n\r\n");
    await eventually(() => text.includes('"live"'));
    const accepted = acceptedSocket(socket)!;
    socket.write("\r\n");
    await eventually(() => accepted.bytesRead === socket.bytesWritten);
    advance(limitMs - 1000);
    expect(accepted.destroyed).toBe(false);
    advance(2000);
    // Closed by Hexhook at once. Node would close it later.
    expect(accepted.destroyed).toBe(true);
    await once(socket, "close");
  });
});
