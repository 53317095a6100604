import { headerOf, type SignedMessage } from "../message.ts";
import { charsetsOf } from "./charsets.ts";
import { coverageOf } from "./coverage.ts";
import type { EarlierBody } from "./earlier-body.ts";
import type { Change } from "./finding.ts";
import { serialisations } from "./json-styles.ts";
import { unpacked } from "./packed-bodies.ts";
import { formsOf } from "./form-encodings.ts";

const RAW_BYTES =
  "take the raw bytes of the body, before a parser or an editor changes them";

/** Changes that proxies, frameworks and editors make to a body. Simple ones come first, because they often explain more. */
export const BODY_CHANGES: Change = {
  kind: "content",
  *candidates({ source, message }) {
    if (!coverageOf(source.scheme).body) {
      return;
    }
    for (const { cause, body, says, fix } of earlierBodiesOf(message)) {
      if (!body.equals(message.body)) {
        yield {
          source,
          message: { ...message, body },
          finding: { cause, says, fix },
        };
      }
    }
  },
};

/** Larger bodies are changed anew for each attempt, to limit the memory. */
const MAX_KEPT_BYTES = 65_536;

const kept = new WeakMap<Buffer, readonly EarlierBody[]>();

function earlierBodiesOf(message: SignedMessage): Iterable<EarlierBody> {
  const { body } = message;
  const length = headerOf(message, "content-length");
  if (body.length > MAX_KEPT_BYTES) {
    return earlierBodies(body, length);
  }
  const bodies = kept.get(body) ?? [...earlierBodies(body, length)];
  kept.set(body, bodies);
  return bodies;
}

function* earlierBodies(
  body: Buffer,
  contentLength: string,
): Generator<EarlierBody> {
  yield* newlineChanges(body);
  yield* byteOrderMarks(body);
  yield* spaceChanges(body, contentLength);
  yield* serialisedAgain(body);
  yield* charsetsOf(body);
  yield* unpacked(body);
  yield* formsOf(body);
  yield {
    cause: "empty-signed",
    body: Buffer.alloc(0),
    says: "the sender signed an empty body, not the body that it sent",
    fix: "have the sender sign the exact bytes that it sends",
  };
}

function* newlineChanges(body: Buffer): Generator<EarlierBody> {
  for (const end of ["\n", "\r\n"]) {
    if (endsWith(body, end)) {
      yield {
        cause: "newline-added",
        body: body.subarray(0, -end.length),
        says: "a newline was added after the body",
        fix: `${RAW_BYTES}; \`echo\` and editors add a newline`,
      };
    }
    yield {
      cause: "newline-removed",
      body: Buffer.concat([body, Buffer.from(end)]),
      says: "the newline after the body was removed",
      fix: `${RAW_BYTES}; \`$(…)\` of a shell and \`trim\` remove a newline`,
    };
  }
  const unix = replaced(body, /\r\n/g, "\n");
  for (const original of [unix, replaced(unix, /\n$/, "")]) {
    yield {
      cause: "crlf",
      body: original,
      says: "LF was changed to CRLF in the body",
      fix: `${RAW_BYTES}; copy files in binary mode`,
    };
  }
  yield {
    cause: "lf",
    body: replaced(body, /(?<!\r)\n/g, "\r\n"),
    says: "CRLF was changed to LF in the body",
    fix: `${RAW_BYTES}; \`curl -d @file\` removes newlines, \`--data-binary @file\` keeps them`,
  };
}

const BOM = Buffer.from("\ufeff");

function* byteOrderMarks(body: Buffer): Generator<EarlierBody> {
  if (body.subarray(0, BOM.length).equals(BOM)) {
    yield {
      cause: "bom-added",
      body: body.subarray(BOM.length),
      says: "a byte order mark was added before the body",
      fix: "save the body as UTF-8 without a byte order mark (BOM)",
    };
  } else {
    yield {
      cause: "bom-removed",
      body: Buffer.concat([BOM, body]),
      says: "the byte order mark before the body was removed",
      fix: `${RAW_BYTES}; decoders of text remove the mark`,
    };
  }
}

function* spaceChanges(
  body: Buffer,
  contentLength: string,
): Generator<EarlierBody> {
  const length = /^\d{1,9}$/.test(contentLength) ? Number(contentLength) : 0;
  if (length > 0 && length < body.length) {
    yield {
      cause: "bytes-added",
      body: body.subarray(0, length),
      says: `the body has ${body.length - length} bytes more than its Content-Length of ${length}`,
      fix: `${RAW_BYTES}; remove what was added after them`,
    };
  }
  yield {
    cause: "bytes-added",
    body: withoutNulsAtEnd(body),
    says: "NUL bytes were added after the body",
    fix: "use only the bytes that were read, not the whole buffer",
  };
  yield {
    cause: "space-added",
    body: Buffer.from(body.toString("latin1").trim(), "latin1"),
    says: "spaces or newlines were added around the body",
    fix: RAW_BYTES,
  };
  for (const original of [" ", "\n\n"]) {
    yield {
      cause: "space-trimmed",
      body: Buffer.concat([body, Buffer.from(original)]),
      says: "spaces or newlines after the body were removed",
      fix: `${RAW_BYTES}; do not trim the body`,
    };
  }
}

function* serialisedAgain(body: Buffer): Generator<EarlierBody> {
  for (const { text, name } of serialisations(body.toString("utf8"))) {
    yield {
      cause: "reserialised",
      body: Buffer.from(text),
      says: `the body was parsed and serialised again: the sender signed ${name}`,
      fix: RAW_BYTES,
    };
  }
}

function endsWith(body: Buffer, end: string): boolean {
  return body.subarray(-end.length).equals(Buffer.from(end));
}

function withoutNulsAtEnd(body: Buffer): Buffer {
  let end = body.length;
  while (end > 0 && body[end - 1] === 0) {
    end -= 1;
  }
  return body.subarray(0, end);
}

/** Replaces text in a body. Decodes the body as latin1, which preserves every byte. */
function replaced(body: Buffer, pattern: RegExp, by: string): Buffer {
  return Buffer.from(body.toString("latin1").replace(pattern, by), "latin1");
}
