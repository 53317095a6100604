// A load generator in a process of its own: keep-alive connections, each with one request in flight, bodies signed
// beforehand. Reports counts by status, the rate, and the latencies.
import { createHmac, randomUUID } from "node:crypto";
import { connect } from "node:net";

const { port, connections, seconds, bodyBytes, secret, rate } = JSON.parse(
  process.argv[2],
);
const key = Buffer.from(secret, "utf8");
const padding = "x".repeat(Math.max(0, bodyBytes - 120));

/** A whole HTTP request with a new event id. */
function request() {
  const body = Buffer.from(
    JSON.stringify({
      id: `evt_${randomUUID()}`,
      type: "bench.event",
      data: { padding },
    }),
  );
  const timestamp = Math.floor(Date.now() / 1000);
  const mac = createHmac("sha256", key)
    .update(`${timestamp}.`)
    .update(body)
    .digest("hex");
  const head =
    `POST /webhooks/hex HTTP/1.1\r\nhost: 127.0.0.1\r\n` +
    `content-type: application/json\r\ncontent-length: ${body.length}\r\n` +
    `x-hex-timestamp: ${timestamp}\r\nx-hex-signature: ${mac}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
}

const needed = rate
  ? Math.ceil(rate * seconds * 1.1)
  : Math.ceil(80_000 * seconds * Math.min(1, 2048 / bodyBytes));
const requests = Array.from({ length: needed }, request);
const latencies = [];
const statuses = {};
let next = 0;
const startedAt = performance.now();
const endsAt = startedAt + seconds * 1000;

function run() {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    socket.setNoDelay(true);
    let sentAt = 0;
    let received = "";

    function sendNext() {
      const now = performance.now();
      if (now >= endsAt || next >= requests.length) {
        socket.end();
        resolve();
        return;
      }
      if (rate) {
        const due = startedAt + (next / rate) * 1000;
        if (due > now) {
          setTimeout(sendNext, due - now);
          return;
        }
      }
      sentAt = performance.now();
      socket.write(requests[next++]);
    }

    socket.on("connect", sendNext);
    socket.on("error", reject);
    socket.on("data", (chunk) => {
      received += chunk.toString("latin1");
      const headEnd = received.indexOf("\r\n\r\n");
      if (headEnd === -1) {
        return;
      }
      const length = Number(/content-length: (\d+)/i.exec(received)[1]);
      if (received.length < headEnd + 4 + length) {
        return;
      }
      const status = received.slice(9, 12);
      statuses[status] = (statuses[status] ?? 0) + 1;
      latencies.push(performance.now() - sentAt);
      received = "";
      sendNext();
    });
  });
}

await Promise.all(Array.from({ length: connections }, run));
const elapsed = (performance.now() - startedAt) / 1000;
latencies.sort((a, b) => a - b);
const at = (q) => latencies[Math.floor((latencies.length - 1) * q)];
console.log(
  JSON.stringify({
    statuses,
    perSecond: latencies.length / elapsed,
    p50: at(0.5),
    p99: at(0.99),
    max: at(1),
    ranDry: next >= requests.length,
  }),
);
