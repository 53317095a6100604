import { beforeEach, describe, expect, it } from "@jest/globals";
import { randomInt } from "node:crypto";
import { connect, type Socket } from "node:net";
import path from "node:path";
import type { Environment } from "../../src/config/load-config.ts";
import { cleanUp } from "../support/cleanup.ts";
import { fuzz } from "../support/fuzzer.ts";
import { eventBody, signed } from "../support/fixtures.ts";
import { eventually } from "../support/eventually.ts";
import { exchangeRaw } from "../support/exchange-raw.ts";
import { readTrail } from "../support/read-trail.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import {
  expectHealthy,
  type ObservedService,
  startObserved,
} from "../support/observed-service.ts";

/** Maximum memory of a service under any input from the network, in megabytes. */
const MAX_RSS_MB = 250;

let folder: ReturnType<typeof temporaryFolder>;

beforeEach(() => {
  folder = temporaryFolder();
});

const start = (
  env: Environment = {},
  via: readonly string[] = [],
): Promise<ObservedService> => startObserved(folder.path, env, via);

/** Opens a connection that is closed at the end of the test. */
function client(port: number, options: { localAddress?: string } = {}): Socket {
  const socket = connect({ port, host: "127.0.0.1", ...options });
  cleanUp(() => socket.destroy());
  socket.on("error", () => undefined);
  return socket;
}

/** Returns the response to a genuine delivery on a new connection. */
async function deliver(socket: Socket, body: Buffer): Promise<string> {
  const head = Object.entries(signed(body))
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("");
  let text = "";
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
  });
  socket.write(
    `POST /webhooks/hex HTTP/1.1\r\nHost: h\r\n${head}Content-Length: ${body.length}\r\n\r\n`,
  );
  socket.write(body);
  await eventually(() => text.includes("\r\n\r\n"));
  return text;
}

describe("bytes from outside", () => {
  // The input has a chunked request, a second one with a complete or missing body, a third one, and invalid HTTP.
  const bodies = ["", "xx"];
  it.each(["port", "adminPort"] as const)(
    "do not end the process if they follow a rejected request and hold invalid HTTP (%s)",
    async (listener) => {
      const serving = await start();
      for (let n = 0; n < 300; n += 1) {
        await exchangeRaw(
          serving[listener],
          "POST /n HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" +
            `POST /n HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n${bodies[n % 2] ?? ""}` +
            "GET /n HTTP/1.1\r\nHost: h\r\n\r\n\u0000\u0001garbage\r\n\r\n",
        );
      }
      await expectHealthy(folder.path, serving);
    },
  );

  const seed = randomInt(2 ** 31);
  it(`leave no open connection on either listener and stay within the memory limit, for random input (seed ${seed})`, async () => {
    const serving = await start();
    const before = serving.openSockets();
    await fuzz([serving.port, serving.adminPort], {
      seed,
      connections: 1000,
      atOnce: 32,
    });
    await eventually(() => serving.openSockets() <= before);
    expect(serving.peakMb()).toBeLessThan(MAX_RSS_MB);
    await expectHealthy(folder.path, serving);
  });
});

describe("memory", () => {
  it("is not exhausted by bodies of one-byte chunks", async () => {
    const serving = await start();
    const forged =
      "POST /webhooks/hex HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" +
      `${"1\r\nx\r\n".repeat(400_000)}0\r\n\r\n`;
    const answers = await Promise.all(
      Array.from({ length: 6 }, () =>
        exchangeRaw(serving.port, forged, (text) => text.includes("\r\n\r\n")),
      ),
    );
    for (const answer of answers) {
      expect(answer).toMatch(/^HTTP\/1\.1 401 /);
    }
    expect(serving.peakMb()).toBeLessThan(MAX_RSS_MB);
    await expectHealthy(folder.path, serving);
  });

  it("is not exhausted by endless requests whose responses are never read", async () => {
    const serving = await start();
    const many = Buffer.from(
      "GET /n HTTP/1.1\r\nHost: h\r\n\r\n".repeat(40_000),
    );
    for (let n = 0; n < 40; n += 1) {
      const socket = client([serving.port, serving.adminPort][n % 2] ?? 0);
      socket.pause();
      socket.write(many);
    }
    for (let n = 0; n < 40; n += 1) {
      const body = eventBody(`evt_beside_${n}`);
      expect((await serving.post(body, signed(body))).status).toBe(200);
    }
    expect(serving.peakMb()).toBeLessThan(MAX_RSS_MB);
    await serving.stop("SIGKILL");
  });

  it.each([
    [
      "heads with very many lines",
      `GET /n HTTP/1.1\r\nHost: h\r\n${"a:b\r\n".repeat(2600)}`,
    ],
    [
      "bodies that do not end",
      `POST /webhooks/hex HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 65000\r\n\r\n${"x".repeat(64_000)}`,
    ],
    ["requests that wait", "GET /n HTTP/1.1\r\nHost: h\r\n\r\n".repeat(2400)],
  ])("is not exhausted by many connections with %s", async (_what, bytes) => {
    const serving = await start();
    const hostile = Array.from({ length: 1200 }, () => {
      const socket = client(serving.port);
      socket.pause();
      return new Promise((resolve) => {
        socket.write(bytes, resolve);
        socket.on("close", resolve);
      });
    });
    await Promise.all(hostile);
    // Sent from another address, so that it does not wait in the queue of the first address.
    for (let n = 0; n < 5; n += 1) {
      const other = client(serving.port, { localAddress: "127.0.0.2" });
      const body = eventBody(`evt_beside_${n}`);
      expect(await deliver(other, body)).toMatch(/^HTTP\/1\.1 200 /);
    }
    expect(serving.peakMb()).toBeLessThan(MAX_RSS_MB);
    await serving.stop("SIGKILL");
  });

  it("is not exhausted by signed bodies that would parse into very large objects", async () => {
    // The heap has room for the parsed form of three bodies.
    const serving = await start({ NODE_OPTIONS: "--max-old-space-size=128" });
    const bodies = Array.from({ length: 24 }, (_, n) =>
      Buffer.from(
        `{"id":"evt_${n}","type":"t","a":[${"{},".repeat(330_000)}{}]}`,
      ),
    );
    const statuses = await Promise.all(
      bodies.map(
        async (body) => (await serving.post(body, signed(body))).status,
      ),
    );
    expect(statuses).toEqual(bodies.map(() => 200));
    expect(serving.peakMb()).toBeLessThan(MAX_RSS_MB);
    await expectHealthy(folder.path, serving);
  });
});

describe("descriptors", () => {
  it("remain for other addresses and for the management listener if one address uses all that it can", async () => {
    const serving = await start({}, [
      "sh",
      "-c",
      'ulimit -n 256 && exec "$@"',
      "sh",
    ]);
    let closed = 0;
    for (let n = 0; n < 400; n += 1) {
      client(serving.port).on("close", () => {
        closed += 1;
      });
    }
    // One address may keep a quarter of the public connections, which are three quarters of 256 descriptors.
    await eventually(() => closed >= 400 - 48);
    const other = client(serving.port, { localAddress: "127.0.0.2" });
    expect(await deliver(other, eventBody("evt_other"))).toMatch(
      /^HTTP\/1\.1 200 /,
    );
    const admin = await fetch(`http://127.0.0.1:${serving.adminPort}/livez`);
    expect(admin.status).toBe(200);
    const warnings = serving
      .stderr()
      .split("\n")
      .filter((line) => line.includes("connections rejected"));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('"max":192,"maxPerNetwork":48');
  });
});

describe("the address of a forgery", () => {
  it("is recorded even if its connection is reset right after sending", async () => {
    const serving = await start();
    const forged = Buffer.from(
      "POST /webhooks/hex HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nx-hex-timestamp: 1\r\n" +
        `x-hex-signature: ${"0".repeat(64)}\r\nContent-Length: 2\r\n\r\n{}`,
    );
    const rejections = async () =>
      (await readTrail(path.join(folder.path, "hexhook.db"))).filter(
        ({ action }) => /\.rejected$/.test(action),
      );
    // Some forgeries are read before their reset, but in any one round perhaps none.
    await eventually(async () => {
      await Promise.all(
        Array.from(
          { length: 100 },
          () =>
            new Promise((resolve) => {
              const socket = client(serving.port);
              socket.on("close", resolve);
              socket.on("connect", () =>
                socket.write(forged, () => socket.resetAndDestroy()),
              );
            }),
        ),
      );
      return (await rejections()).length > 0;
    });
    // This connection stays open and is read after all of them.
    await serving.post(eventBody("evt_last"), {
      "content-type": "application/json",
    });
    await serving.stop();
    const addresses = (await rejections()).map(
      ({ metadata }) => metadata["ip"],
    );
    // There is more than the entry of the last request.
    expect(addresses.length).toBeGreaterThan(1);
    expect(new Set(addresses)).toEqual(new Set(["127.0.0.1"]));
  });
});
