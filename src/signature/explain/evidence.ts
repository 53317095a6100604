import { headerOf } from "../message.ts";
import { coverageOf } from "./coverage.ts";
import { likely, type Finding, type Trial } from "./finding.ts";

const REPLACEMENT = Buffer.from("\ufffd");

/** The first bytes of gzip, and of zlib with its usual windows. */
const COMPRESSED = /^(?:\x1f\x8b|\x78[\x01\x5e\x9c\xda])/; // eslint-disable-line no-control-regex -- these are magic bytes

type Hint = Omit<Finding, "isProven">;

/** Returns signs of a change that cannot be undone. */
export function evidenceOf(trial: Trial): Finding[] {
  const { url, body } = coverageOf(trial.source.scheme);
  const hints = [
    ...(url && trial.source.publicUrl === null ? [missingUrl(trial)] : []),
    ...(body ? bodyEvidence(trial) : []),
  ];
  return hints.map(likely);
}

function missingUrl({ source }: Trial): Hint {
  return {
    cause: "url-missing",
    says: `the scheme ${source.scheme.name} signs the URL, but the source has no publicUrl`,
    fix: "set publicUrl of the source to the URL that is registered at the sender, or give it with --url",
  };
}

function bodyEvidence({ message }: Trial): Hint[] {
  const { body } = message;
  const text = body.toString("latin1");
  const length = headerOf(message, "content-length");
  const expected = /^\d{1,9}$/.test(length) ? Number(length) : body.length;
  const hints: Hint[] = [];
  if (body.length === 0) {
    hints.push({
      cause: "body-empty",
      says: "the body is empty",
      fix: "read the raw body before a parser consumes it, or give it with --body",
    });
  } else if (body.length < expected) {
    hints.push({
      cause: "truncated",
      says: `the body is truncated: it has ${body.length} bytes, but its Content-Length is ${expected}`,
      fix: "read the body to its end, and check the size limits of the proxies",
    });
  } else if (isCut(text)) {
    hints.push({
      cause: "truncated",
      says: "the body is truncated: its JSON has no end",
      fix: "read the body to its end, and check the size limits of the proxies and of the log",
    });
  }
  if (/^\[object \w+\]$/.test(text)) {
    hints.push({
      cause: "body-object",
      says: `the body is the text ${text}: a parsed object was converted to a string`,
      fix: "take the raw bytes of the body, before a JSON parser",
    });
  }
  if (body.includes(REPLACEMENT)) {
    hints.push({
      cause: "characters-replaced",
      says: "the body has replacement characters (U+FFFD): it was decoded as UTF-8 and has other bytes now",
      fix: "take the raw bytes of the body, before they are decoded to text",
    });
  }
  if (
    /gzip|deflate|br/.test(headerOf(message, "content-encoding")) &&
    !COMPRESSED.test(text)
  ) {
    hints.push({
      cause: "decompressed",
      says: "the request has a Content-Encoding, but its body is not compressed: it was decompressed after it was signed",
      fix: "verify the body before it is decompressed, or have the sender send it without compression",
    });
  }
  return hints;
}

/** Whether a text begins like JSON but does not end like it. */
function isCut(text: string): boolean {
  const first = text.trimStart().charAt(0);
  const end = first === "{" ? "}" : first === "[" ? "]" : null;
  return end !== null && !text.trimEnd().endsWith(end);
}
