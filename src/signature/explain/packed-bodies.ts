import { brotliDecompressSync, gunzipSync, inflateSync } from "node:zlib";
import { decodeBase64 } from "../encoding.ts";
import type { EarlierBody } from "./earlier-body.ts";

/** A compressed body of a few kilobytes can decompress to gigabytes. */
const MAX_DECOMPRESSED = 26_214_400;

/** The objects of a larger text could fill the memory. */
const MAX_PARSED = 1_048_576;

const DECOMPRESS = [
  ["gzip", gunzipSync],
  ["deflate", inflateSync],
  ["br", brotliDecompressSync],
] as const;

/** Yields the bodies inside an envelope: compression, base64, a JSON string, chunks. */
export function* unpacked(body: Buffer): Generator<EarlierBody> {
  for (const [name, decompress] of DECOMPRESS) {
    const original = attempt(() =>
      decompress(body, { maxOutputLength: MAX_DECOMPRESSED }),
    );
    if (original !== null) {
      yield {
        cause: "compressed",
        body: original,
        says: `the body was compressed (${name}) after it was signed`,
        fix: "turn off compression of requests at the sender or the proxy; Hexhook rejects a Content-Encoding",
      };
    }
  }
  const text = body.toString("latin1");
  const decoded = decodeBase64(text.trim());
  if (decoded !== null) {
    yield {
      cause: "body-encoded",
      body: decoded,
      says: "the body is in base64, as gateways of functions pass it on",
      fix: "decode the body before you verify it (isBase64Encoded in an event of AWS)",
    };
  }
  yield* insideJson(body);
  const joined = withoutChunks(body);
  if (joined !== null) {
    yield {
      cause: "body-encoded",
      body: joined,
      says: "the body still has the chunk sizes of Transfer-Encoding: chunked",
      fix: "join the chunks before you verify the body",
    };
  }
}

function* insideJson(body: Buffer): Generator<EarlierBody> {
  if (body.length > MAX_PARSED) {
    return;
  }
  const value = attempt(() => JSON.parse(body.toString("utf8")) as unknown);
  if (typeof value === "string") {
    yield {
      cause: "body-encoded",
      body: Buffer.from(value),
      says: "the body was written as a JSON string, with quotes and escapes",
      fix: "pass on the body itself, not its serialised text",
    };
  } else if (
    typeof value === "object" &&
    value !== null &&
    "body" in value &&
    typeof value.body === "string"
  ) {
    for (const encoding of ["utf8", "base64"] as const) {
      yield {
        cause: "body-encoded",
        body: Buffer.from(value.body, encoding),
        says: 'the body is the member "body" of this JSON, as gateways of functions pass it on',
        fix: "verify only that member (decoded if isBase64Encoded is true)",
      };
    }
  }
  yield {
    cause: "body-encoded",
    body: Buffer.from(JSON.stringify(body.toString("utf8"))),
    says: "the sender signed the body as a JSON string, with quotes and escapes",
    fix: "have the sender sign the exact bytes that it sends, not their serialised text",
  };
}

const CHUNK_SIZE = /([0-9a-fA-F]{1,8})(?:;[^\r\n]*)?\r\n/y;

/** Returns the data of a chunked body (RFC 9112 section 7.1) without trailers; null for any other body. */
export function withoutChunks(body: Buffer): Buffer | null {
  const text = body.toString("latin1");
  const data: Buffer[] = [];
  let at = 0;
  for (;;) {
    CHUNK_SIZE.lastIndex = at;
    const [line, size] = CHUNK_SIZE.exec(text) ?? [];
    if (line === undefined || size === undefined) {
      return null;
    }
    const from = at + line.length;
    const to = from + parseInt(size, 16);
    if (text.slice(to, to + 2) !== "\r\n") {
      return null;
    }
    if (to === from) {
      return Buffer.concat(data);
    }
    data.push(body.subarray(from, to));
    at = to + 2;
  }
}

function attempt<T>(make: () => T): T | null {
  try {
    return make();
  } catch {
    return null;
  }
}
