// Makes and signs requests beforehand, and writes them to a file for the load generator: each with its length before it.
import { createHmac, randomUUID } from "node:crypto";
import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import path from "node:path";

export const SECRET = "bench-secret-bench-secret-bench-secret-bench-secret";
/** standardwebhooks takes its secret in base64. */
export const STANDARD_SECRET = `whsec_${Buffer.from(SECRET).toString("base64")}`;
export const ENDPOINT = "/webhooks/hex";

/** Signed seconds are valid for 300 s: a file is used for less. */
const MAX_AGE_MS = 100_000;
const FLUSH_BYTES = 1 << 24;
/** A file does not grow beyond this; a load that uses it up ends early, and says so. */
const MAX_FILE_BYTES = 1 << 30;
const ID_BYTES = 40; // evt_ and a UUID

const hmac = (encoding, ...parts) => {
  const mac = createHmac("sha256", SECRET);
  parts.forEach((part) => mac.update(part));
  return mac.digest(encoding);
};

/** The headers that sign a body, by scheme. */
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

/** `forged`: each signature is of the right form, and wrong. */
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

/** Files of signed requests, shared by servers that take the same ones, and made anew before their signatures age. */
export function createRequests(folder) {
  const files = new Map();
  /** How many requests of a file a server has got. */
  const used = new WeakMap();
  let made = 0;

  function make(key, kind, count) {
    const known = files.get(key);
    if (known !== undefined) {
      rmSync(known.file);
    }
    made += 1;
    const file = path.join(folder, `requests-${made}.bin`);
    writeRequests(file, { ...kind, count });
    const entry = { file, count, madeAt: Date.now() };
    files.set(key, entry);
    return entry;
  }

  /** Requests that a server has not got yet: `count` from `skip` on. A new file is made for `room` requests. */
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
    const known = files.get(key);
    const entry =
      known !== undefined && fits(known)
        ? known
        : make(key, kind, Math.min(Math.max(count, room), limit));
    const skip = skipIn(entry);
    return {
      file: entry.file,
      skip,
      sent: (more) => used.get(server).set(entry.file, skip + more),
    };
  }

  /** A file of one plain GET, to be repeated. */
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
