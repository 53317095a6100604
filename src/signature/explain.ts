import type { Source } from "../domain/source.ts";
import { skewSeconds } from "../domain/replay-window.ts";
import { parseTimestamp } from "./grammar.ts";
import { headerOf, type SignedMessage } from "./message.ts";
import { SCHEME_NAMES, schemeOf } from "./scheme.ts";
import { verify } from "./verify.ts";

/** What proxies, frameworks and editors do to a body on its way, and how to undo it. */
const BODY_CHANGES: readonly {
  readonly what: string;
  readonly undo: (body: Buffer) => Buffer | null;
}[] = [
  {
    what: "a line end was added behind the body",
    undo: (body) => replaced(body, /\r?\n$/, ""),
  },
  {
    what: "the line end behind the body was taken away",
    undo: (body) => Buffer.concat([body, Buffer.from("\n")]),
  },
  {
    what: "LF became CRLF in the body",
    undo: (body) => replaced(body, /\r\n/g, "\n"),
  },
  {
    what: "CRLF became LF in the body",
    undo: (body) => replaced(body, /(?<!\r)\n/g, "\r\n"),
  },
  {
    what: "a byte order mark was put before the body",
    undo: (body) => replaced(body, /^\xef\xbb\xbf/, ""),
  },
  {
    what: "the body was parsed and printed again: pass the raw bytes on",
    undo: (body) => reprinted(body, undefined),
  },
  {
    what: "the body was parsed and printed again with indentation: pass the raw bytes on",
    undo: (body) => reprinted(body, 2),
  },
];

/** On latin1 text, so that every byte stays what it is. */
function replaced(body: Buffer, pattern: RegExp, by: string): Buffer | null {
  const text = body.toString("latin1");
  const changed = text.replace(pattern, by);
  return changed === text ? null : Buffer.from(changed, "latin1");
}

function reprinted(body: Buffer, indent: number | undefined): Buffer | null {
  try {
    return Buffer.from(
      JSON.stringify(JSON.parse(body.toString("utf8")), undefined, indent),
    );
  } catch {
    return null;
  }
}

/**
 * Why a message may have failed, in words for whoever sends or forwards it. Only says what would have fitted; never
 * shows a signature that was expected, nor a secret.
 */
export function explain(
  source: Source,
  message: SignedMessage,
  failure: { reason: string; now: number; window: number },
): string[] {
  const { reason, now, window } = failure;
  const scheme = schemeOf(source.scheme);
  const timestampText =
    scheme.timestampHeader === null
      ? ""
      : headerOf(message, scheme.timestampHeader);
  switch (reason) {
    case "missing_signature":
      return [`the header ${scheme.signatureHeader} is not there`];
    case "malformed_signature":
      return [
        `${scheme.signatureHeader} must be exactly 64 hex digits, without a prefix such as sha256=`,
      ];
    case "missing_timestamp":
      return [`the header ${scheme.timestampHeader ?? ""} is not there`];
    case "malformed_timestamp":
      return [
        /^\d{13}$/.test(timestampText)
          ? "the timestamp is in milliseconds; it must be in seconds"
          : "the timestamp must be 1 to 11 digits: unix seconds",
      ];
    case "stale_timestamp":
    case "future_timestamp": {
      const skew = skewSeconds(now, parseTimestamp(timestampText) ?? 0);
      return [
        `the signature is good; it was made ${Math.abs(skew)} s ${skew > 0 ? "before" : "after"} this clock, and the window is ${window} s`,
        "sign again for each try, and check both clocks",
      ];
    }
    case "expired_secret":
      return ["the previous secret made it, and that has expired"];
    default:
      return explainBadSignature(source, message, now);
  }
}

function explainBadSignature(
  source: Source,
  message: SignedMessage,
  now: number,
): string[] {
  const { body } = message;
  // The first that fits: what undoes more often undoes the simpler change too.
  const change = BODY_CHANGES.find(({ undo }) => {
    const original = undo(body);
    return (
      original !== null &&
      verify(source, { ...message, body: original }, now).ok
    );
  });
  const hints = change === undefined ? [] : [`it fits if ${change.what}`];

  for (const other of SCHEME_NAMES) {
    if (other !== source.scheme) {
      const otherwise = { ...source, scheme: other };
      if (verify(otherwise, message, now).ok) {
        hints.push(
          `it fits the scheme ${other}; this source has ${source.scheme} (HEX_SIGNATURE_SCHEME)`,
        );
      }
    }
  }
  const keyIds = source.secrets.map(({ keyId }) => keyId).join(", ");
  return hints.length > 0
    ? hints
    : [
        `no secret of this source made it (key ids: ${keyIds}), or the body or the timestamp was changed`,
        "compare the key id with the sender's, and the SHA-256 of the body on both sides",
      ];
}
