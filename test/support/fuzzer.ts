import { connect, type Socket } from "node:net";
import { seededRandom } from "./seeded-random.ts";

/** The parts of a hostile stream of requests. Each part is a valid, an invalid or an incomplete request. */
const FRAGMENTS = [
  "GET /n HTTP/1.1\r\nHost: h\r\n\r\n",
  "GET /livez HTTP/1.1\r\nHost: h\r\n\r\n",
  "HEAD /readyz HTTP/1.1\r\nHost: h\r\n\r\n",
  "GET /livez HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
  "GET /livez HTTP/1.0\r\n\r\n",
  "GET /livez HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
  "GET /api/events HTTP/1.1\r\nHost: h\r\n\r\n",
  "GET /n HTTP/1.1\r\n\r\n",
  "GET http://h/n HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n",
  "GET /n HTTP/2.0\r\nHost: h\r\n\r\n",
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
  "GET /n HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
  "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
  "POST /n HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
  "POST /n HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n",
  "POST /n HTTP/1.1\r\nHost: h\r\nContent-Length: 70000\r\n\r\nx",
  "POST /n HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
  "POST /webhooks/hex HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
  "POST /webhooks/hex HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n{",
  "POST /webhooks/hex HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\nX: y\r\n\r\n",
  "POST /webhooks/hex HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b\r\n{\r\nzz\r\n",
  "POST /webhooks/hex HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
  "POST /webhooks/hex HTTP/1.1\r\nHost: h\r\nExpect: nothing\r\nContent-Length: 3\r\n\r\nabc",
  "POST /webhooks/hex HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
  `GET /n HTTP/1.1\r\nHost: h\r\nX: ${"x".repeat(17_000)}\r\n\r\n`,
  `GET /n HTTP/1.1\r\nHost: h\r\n${"a: 1\r\n".repeat(150)}\r\n`,
  "\r\n\r\n\r\n",
  "5\r\nhello\r\n0\r\n\r\n",
  "x",
  "\u0000\u0001garbage\r\n\r\n",
  "GET / HTTP/1.1\n\n",
  "GET /n",
];

/** The ways in which a client ends its connection. */
const ENDINGS = ["end", "reset", "destroy", "wait"] as const;

type Random = () => number;

const pick = <T>(random: Random, list: readonly T[]): T =>
  list[Math.floor(random() * list.length)] as T;

/** Returns a stream of requests, cut into writes at random places. */
function writesOf(random: Random): Buffer[] {
  const many = random() < 0.1 ? 200 : 6;
  const count = 1 + Math.floor(random() * many);
  const repeated = random() < 0.2 ? pick(random, FRAGMENTS) : null;
  const stream = Buffer.from(
    Array.from({ length: count }, () => repeated ?? pick(random, FRAGMENTS))
      .join("")
      .slice(0, 200_000),
    "latin1",
  );
  if (random() < 0.15) {
    stream[Math.floor(random() * stream.length)] = Math.floor(random() * 256);
  }
  const writes: Buffer[] = [];
  let at = 0;
  while (at < stream.length) {
    const size =
      random() < 0.5 ? stream.length : Math.ceil(random() * stream.length);
    writes.push(stream.subarray(at, at + size));
    at += size;
  }
  return writes;
}

/**
 * Opens one hostile connection. Resolves when it is closed, at the latest by the client itself. The service may treat
 * the connection in any way; the caller checks the state of the service.
 */
function fuzzConnection(port: number, random: Random): Promise<void> {
  const writes = writesOf(random);
  const ending = pick(random, ENDINGS);
  const reads = random() < 0.8;
  return new Promise((resolve) => {
    const socket: Socket = connect({ port, host: "127.0.0.1" });
    socket.setNoDelay(true);
    // The service may stop reading, and need not close what it has not read.
    socket.setTimeout(1000, () => socket.destroy());
    socket.on("error", () => undefined);
    socket.on("close", () => {
      resolve();
    });
    if (reads) {
      socket.resume();
    }
    const finish = (): void => {
      if (ending === "end") {
        socket.end();
        // The service may wait for more, so the client closes the connection.
        socket.setTimeout(200, () => socket.destroy());
      } else if (ending === "reset") {
        socket.resetAndDestroy();
      } else if (ending === "destroy") {
        socket.destroy();
      } else {
        socket.setTimeout(50, () => socket.destroy());
      }
    };
    const next = (): void => {
      const bytes = writes.shift();
      if (bytes === undefined) {
        finish();
      } else {
        socket.write(bytes, () => setImmediate(next));
      }
    };
    socket.on("connect", next);
  });
}

/** Opens `connections` hostile connections, `atOnce` at a time, on the ports in turn. */
export async function fuzz(
  ports: readonly number[],
  options: { seed: number; connections: number; atOnce: number },
): Promise<void> {
  const random = seededRandom(options.seed);
  let left = options.connections;
  const client = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const own = seededRandom(Math.floor(random() * 2 ** 32));
      await fuzzConnection(ports[left % ports.length] as number, own);
    }
  };
  await Promise.all(Array.from({ length: options.atOnce }, client));
}
