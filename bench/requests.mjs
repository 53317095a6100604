// Prepares signed requests and writes them to a file for the load generator. Each request is preceded by its length.
import { createHmac, randomUUID } from "node:crypto";
import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import path from "node:path";

export const SECRET = "bench-secret-bench-secret-bench-secret-bench-secret";
/** The same secret in base64, as standardwebhooks requires it. */
export const STANDARD_SECRET = `whsec_${Buffer.from(SECRET).toString("base64")}`;
export const ENDPOINT = "/webhooks/hex";

/** Maximum age of a file. It is below 300 s, for which the signed timestamps are valid. */
const MAX_AGE_MS = 100_000;
const FLUSH_BYTES = 1 << 24;
/** Maximum size of a file. A load that uses up all its requests ends early, and reports this. */
const MAX_FILE_BYTES = 1 << 30;
const ID_BYTES = 40; // evt_ and a UUID

const hmac = (encoding, ...parts) => {
  const mac = createHmac("sha256", SECRET);
  parts.forEach((part) => mac.update(part));
  return mac.digest(encoding);
};

/** Functions that return the signature headers of a body, by scheme. */
const SCHEMES = {
  hex(body, { now }) {
    const mac = hmac("hex", `${now}.`, body);
    return `x-hex-timestamp: ${now}\r\nx-hex-signature: ${mac}\r\n`;
  },
  github(body, { id }) {
    const mac = hmac("hex", body);
    return `x-github-event: push\r\nx-github-delivery: ${id}\r\nx-hub-signature-256: sha256=${mac}\r\n`;
  },
  standard(body, { now, id }) {
    const mac = hmac("base64", `${id}.${now}.`, body);
    return `webhook-id: ${id}\r\nwebhook-timestamp: ${now}\r\nwebhook-signature: v1,${mac}\r\n`;
  },
};

/** Writes a file of requests. `forged`: each signature has the right format but is wrong. */
function writeRequests(file, { scheme, bodyBytes, count, forged }) {
  const sign = SCHEMES[scheme];
  const start = `{"id":"`;
  const rest = `","type":"bench.event","data":{"padding":"`;
  const end = `"}}`;
  const padding =
    bodyBytes - start.length - ID_BYTES - rest.length - end.length;
  const body = Buffer.from(
    start +
      "-".repeat(ID_BYTES) +
      rest +
      "x".repeat(Math.max(0, padding)) +
      end,
  );
  const output = Buffer.allocUnsafe(FLUSH_BYTES + body.length + 4096);
  const fd = openSync(file, "w");
  let at = 0;
  for (let i = 0; i < count; i += 1) {
    const id = `evt_${randomUUID()}`;
    body.write(id, start.length, "latin1");
    const now = Math.floor(Date.now() / 1000);
    const signature = sign(body, { now, id });
    if (forged) {
      body[body.length - 4] = i % 2 === 0 ? 121 : 122;
    }
    const head =
      `POST ${ENDPOINT} HTTP/1.1\r\nhost: 127.0.0.1\r\n` +
      `content-type: application/json\r\ncontent-length: ${body.length}\r\n` +
      `${signature}\r\n`;
    output.writeUInt32LE(head.length + body.length, at);
    at += 4 + output.write(head, at + 4, "latin1");
    at += body.copy(output, at);
    if (at > FLUSH_BYTES || i === count - 1) {
      writeSync(fd, output, 0, at);
      at = 0;
    }
  }
  closeSync(fd);
}

/** Creates files of signed requests. Servers with the same requests share a file, which is replaced before it expires. */
export function createRequests(folder) {
  const files = new Map();
  /** Number of requests that a server has received, by file. */
  const used = new WeakMap();
  let made = 0;

  function make(key, kind, count) {
    const existing = files.get(key);
    if (existing !== undefined) {
      rmSync(existing.file);
    }
    made += 1;
    const file = path.join(folder, `requests-${made}.bin`);
    writeRequests(file, { ...kind, count });
    const entry = { file, count, madeAt: Date.now() };
    files.set(key, entry);
    return entry;
  }

  /**
   * Returns a file with `count` requests that the server has not received yet, after the first `skip`. A new file gets `room`
   * requests.
   */
  function take(server, { count, room, ...kind }) {
    const key = JSON.stringify(kind);
    const limit = Math.floor(MAX_FILE_BYTES / (kind.bodyBytes + 400));
    if (!used.has(server)) {
      used.set(server, new Map());
    }
    const skipIn = (entry) => used.get(server).get(entry.file) ?? 0;
    const fits = (entry) =>
      Date.now() - entry.madeAt < MAX_AGE_MS &&
      entry.count - skipIn(entry) >= Math.min(count, limit / 2);
    const existing = files.get(key);
    const entry =
      existing !== undefined && fits(existing)
        ? existing
        : make(key, kind, Math.min(Math.max(count, room), limit));
    const skip = skipIn(entry);
    return {
      file: entry.file,
      skip,
      sent: (more) => used.get(server).set(entry.file, skip + more),
    };
  }

  /** Returns a file with one GET, for the option `repeat` of the load generator. */
  function getOf(target) {
    const file = path.join(folder, `get-${target.replaceAll("/", "_")}.bin`);
    const text = Buffer.from(
      `GET ${target} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`,
    );
    const length = Buffer.alloc(4);
    length.writeUInt32LE(text.length);
    const fd = openSync(file, "w");
    writeSync(fd, Buffer.concat([length, text]));
    closeSync(fd);
    return file;
  }

  return { take, getOf };
}
