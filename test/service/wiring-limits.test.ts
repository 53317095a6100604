import { describe, expect, it } from "@jest/globals";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import path from "node:path";
import { openStore } from "../../src/store/open.ts";
import { acceptedSocket, serverOn } from "../support/active-handles.ts";
import { cleanUp } from "../support/cleanup.ts";
import { hang, startDestination } from "../support/destinations.ts";
import { eventually } from "../support/eventually.ts";
import { eventBody, signed } from "../support/fixtures.ts";
import { freePort } from "../support/processes.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/* The default limits of a running service. */

function open(port: number): { socket: Socket; text: () => string } {
  const socket = connect(port, "127.0.0.1");
  cleanUp(() => socket.destroy());
  socket.on("error", () => undefined);
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  return { socket, text: () => Buffer.concat(chunks).toString("latin1") };
}

function requestOf(body: Buffer): Buffer {
  const lines = Object.entries({
    host: "h",
    ...signed(body),
    "content-length": String(body.length),
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `POST /webhooks/hex HTTP/1.1\r\n${lines.join("")}\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
}

const statusesIn = (text: string): number[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) =>
    Number(status),
  );

/** Starts a service whose store writes no event until `release` is called. */
async function startHeld() {
  let waiting = 0;
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const service = await startTestService(temporaryFolder().path, {
    env: { AUDIT_STDOUT: "off", SHUTDOWN_SECONDS: "600" },
    deps: {
      openStore: async (...how) => {
        const store = await openStore(...how);
        return {
          ...store,
          record: async (record) => {
            waiting += 1;
            await released;
            return store.record(record);
          },
        };
      },
    },
  });
  // Released before the service stops, because the shutdown waits for requests in progress.
  cleanUp(release);
  return { service, waiting: () => waiting, release };
}

function expectUnavailable(answer: {
  status: number;
  headers: Headers;
  json: object;
}): void {
  expect(answer).toMatchObject({ status: 503, json: { code: "unavailable" } });
  expect(answer.headers.get("retry-after")).toBe("5");
}

describe("overload", () => {
  it("causes 503 for the request after 4,096 waiting ones, and for none of those", async () => {
    const { service, waiting, release } = await startHeld();
    const requests = Array.from({ length: 4096 }, (_, n) =>
      requestOf(eventBody(`evt_${n}`)),
    );
    // A connection has at most 16 requests in progress, and the last of them is not yet read completely.
    const clients = Array.from({ length: Math.ceil(4096 / 15) }, (_, n) => {
      const client = open(service.port);
      client.socket.write(Buffer.concat(requests.slice(n * 15, (n + 1) * 15)));
      return client;
    });
    await eventually(() => waiting() === 4096);

    expectUnavailable(await service.post(eventBody("evt_too_many")));
    expect(await service.lastEntry()).toMatchObject({
      action: "http.rejected",
      metadata: { status: 503, reason: "overloaded" },
    });
    expect((await service.request("/livez")).status).toBe(200);

    release();
    const answered = () =>
      clients.flatMap(({ text }) => statusesIn(text())).length;
    await eventually(() => answered() === 4096);
    const statuses = clients.flatMap(({ text }) => statusesIn(text()));
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect((await service.post(eventBody("evt_afterwards"))).status).toBe(200);
  });

  it("causes 503 for a large body when the memory for bodies is full, but for no small one", async () => {
    const service = await startTestService(temporaryFolder().path, {
      env: { AUDIT_STDOUT: "off", SHUTDOWN_SECONDS: "1" },
    });
    const size = 1_048_576;
    const head = `POST /webhooks/hex HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ncontent-length: ${size}\r\n\r\n`;
    const part = Buffer.alloc(size - 1, "x");
    // The limit for large bodies is 40 MiB.
    const clients = Array.from({ length: 45 }, () => {
      const client = open(service.port);
      client.socket.write(head);
      client.socket.write(part);
      return client;
    });
    const rejected = () =>
      clients.filter(({ text }) => statusesIn(text())[0] === 503);
    await eventually(() => rejected().length > 0);
    expect(rejected()[0]?.text()).toMatch(/\r\nretry-after: 5\r\n/);
    expect((await service.post(eventBody("evt_small"))).status).toBe(200);
    const accepted = clients.filter(({ text }) => text() === "");
    expect(accepted.length).toBeGreaterThanOrEqual(30);
    const entries = await service.entries();
    expect(entries).toContainEqual(
      expect.objectContaining({
        action: "http.rejected",
        metadata: expect.objectContaining({ reason: "overloaded" }),
      }),
    );
  });
});

describe("a service that has drained", () => {
  it("responds 503 to a late request on an open connection, and completes earlier ones", async () => {
    const { service, waiting, release } = await startHeld();
    const busy = open(service.port);
    busy.socket.write(requestOf(eventBody("evt_in_progress")));
    await eventually(() => waiting() === 1);
    const late = open(service.port);
    const request = requestOf(eventBody("evt_late"));
    late.socket.write(request.subarray(0, 20));
    await eventually(() => acceptedSocket(late.socket)?.bytesRead === 20);

    const stopped = service.stop();
    // Draining is over when the listener accepts no connections.
    await eventually(
      () =>
        new Promise<boolean>((resolve) => {
          const { socket } = open(service.port);
          socket.on("connect", () => {
            socket.destroy();
            resolve(false);
          });
          socket.on("error", () => {
            resolve(true);
          });
        }),
    );
    const closed = once(late.socket, "close");
    late.socket.write(request.subarray(20));
    await closed;
    expect(statusesIn(late.text())).toEqual([503]);
    expect(late.text()).toContain('"code":"unavailable"');
    expect(late.text()).toMatch(/\r\nretry-after: 5\r\n/);
    expect(late.text()).toMatch(/\r\nconnection: close\r\n/i);

    release();
    await stopped;
    await eventually(() => busy.socket.closed);
    expect(statusesIn(busy.text())).toEqual([200]);
    const entries = await service.entries();
    expect(
      entries
        .filter(({ action }) => action === "webhook.accepted")
        .map(({ metadata }) => metadata["eventId"]),
    ).toEqual(["evt_in_progress"]);
    expect(entries).toContainEqual(
      expect.objectContaining({
        metadata: expect.objectContaining({ reason: "draining", status: 503 }),
      }),
    );
  });
});

describe("the time limits of a connection", () => {
  it.each([
    [{}, 65_000],
    [{ KEEP_ALIVE_SECONDS: "7" }, 7000],
  ])("apply to both listeners with %j", async (env, keepAliveTimeout) => {
    const service = await startTestService(temporaryFolder().path, {
      env: { ADMIN_PORT: String(await freePort()), ...env },
    });
    for (const port of [service.port, service.adminPort!]) {
      expect(serverOn(port)).toMatchObject({
        headersTimeout: 10_000,
        requestTimeout: 30_000,
        keepAliveTimeout,
        maxHeadersCount: 101,
        requireHostHeader: false,
      });
    }
  });

  it("close a connection that is idle for KEEP_ALIVE_SECONDS", async () => {
    const service = await startTestService(temporaryFolder().path, {
      env: { KEEP_ALIVE_SECONDS: "1" },
    });
    const { socket, text } = open(service.port);
    const closed = once(socket, "close");
    socket.write("GET /livez HTTP/1.1\r\nhost: h\r\n\r\n");
    await closed;
    expect(statusesIn(text())).toEqual([200]);
    expect(text()).toMatch(/\r\nkeep-alive: timeout=1\r\n/i);
  });
});

describe("attempts in flight", () => {
  async function deliver(service: TestService, many: number): Promise<void> {
    const bodies = Array.from({ length: many }, (_, n) =>
      requestOf(eventBody(`evt_${n}`, "t")),
    );
    const { socket, text } = open(service.port);
    socket.write(Buffer.concat(bodies));
    await eventually(() => statusesIn(text()).length === many);
    expect(new Set(statusesIn(text()))).toEqual(new Set([200]));
  }

  const inFlight = async (service: TestService): Promise<number[]> => {
    const response = await fetch(
      `http://127.0.0.1:${service.adminPort}/api/destinations`,
      { headers: { authorization: `Bearer ${TOKEN}` } },
    );
    const { destinations } = (await response.json()) as {
      destinations: { inFlight: number; pending: number }[];
    };
    return destinations.flatMap(({ inFlight: now, pending }) => [now, pending]);
  };
  const TOKEN = "test-admin-token-0123456789abcdef";

  it("are at most 64 in handlers", async () => {
    const folder = temporaryFolder().path;
    const handlers = path.join(folder, "hang.mjs");
    writeFileSync(
      handlers,
      `export default { t: () => { globalThis.begun = (globalThis.begun ?? 0) + 1; return new Promise(() => undefined); } };`,
    );
    const begun = (): number => (globalThis as { begun?: number }).begun ?? 0;
    const service = await startTestService(folder, {
      env: {
        ADMIN_PORT: String(await freePort()),
        ADMIN_TOKEN: TOKEN,
        HANDLERS: handlers,
        ATTEMPT_TIMEOUT: "1h",
        SHUTDOWN_SECONDS: "1",
      },
    });
    await deliver(service, 70);
    await eventually(() => begun() >= 64);
    // A further event does not start another attempt.
    await service.post(eventBody("evt_last", "t"));
    expect(await inFlight(service)).toEqual([64, 71]);
    expect(begun()).toBe(64);
  });

  it("are at most 8 at an HTTP destination without a concurrency", async () => {
    const folder = temporaryFolder().path;
    const handlers = path.join(folder, "none.mjs");
    writeFileSync(handlers, "export default {};\n");
    const destination = await startDestination(hang);
    const service = await startTestService(folder, {
      env: {
        ADMIN_PORT: String(await freePort()),
        ADMIN_TOKEN: TOKEN,
        HANDLERS: handlers,
        FORWARD_URL: destination.url,
        ATTEMPT_TIMEOUT: "1h",
        SHUTDOWN_SECONDS: "1",
      },
    });
    await deliver(service, 20);
    await eventually(() => destination.attempts.length >= 8);
    await service.post(eventBody("evt_last", "t"));
    expect(await inFlight(service)).toEqual([8, 21]);
    expect(destination.seen()).toMatchObject({ most: 8 });
  });
});
