import type { Source } from "../domain/source.ts";
import { skewSeconds } from "../domain/replay-window.ts";
import { variantFor } from "./compiled-scheme.ts";
import { parseTimestamp } from "./timestamps.ts";
import { headerOf, type SignedMessage } from "./message.ts";
import { HEX_SCHEME_NAMES, schemeOf } from "./schemes.ts";
import { verify } from "./verify.ts";

/** Changes that proxies, frameworks and editors make to a body, and how to undo each. */
const BODY_CHANGES: readonly {
  readonly text: string;
  /** Returns the body before the change; null if the body shows no such change. */
  readonly undo: (body: Buffer) => Buffer | null;
}[] = [
  {
    text: "a newline was added after the body",
    undo: (body) => replaced(body, /\r?\n$/, ""),
  },
  {
    text: "the newline after the body was removed",
    undo: (body) => Buffer.concat([body, Buffer.from("\n")]),
  },
  {
    text: "LF was changed to CRLF in the body",
    undo: (body) => replaced(body, /\r\n/g, "\n"),
  },
  {
    text: "CRLF was changed to LF in the body",
    undo: (body) => replaced(body, /(?<!\r)\n/g, "\r\n"),
  },
  {
    text: "a byte order mark was added before the body",
    undo: (body) => replaced(body, /^\xef\xbb\xbf/, ""),
  },
  {
    text: "the body was parsed and serialised again; forward the raw bytes instead",
    undo: (body) => serialised(body, undefined),
  },
  {
    text: "the body was parsed and serialised again with indentation; forward the raw bytes instead",
    undo: (body) => serialised(body, 2),
  },
];

/** Replaces text in a body; null if nothing matches. Decodes the body as latin1, which preserves every byte. */
function replaced(body: Buffer, pattern: RegExp, by: string): Buffer | null {
  const text = body.toString("latin1");
  const changed = text.replace(pattern, by);
  return changed === text ? null : Buffer.from(changed, "latin1");
}

function serialised(body: Buffer, indent: number | undefined): Buffer | null {
  try {
    return Buffer.from(
      JSON.stringify(JSON.parse(body.toString("utf8")), undefined, indent),
    );
  } catch {
    return null;
  }
}

/**
 * Returns hints on why a message was not verified, for the operator of its sender or of a proxy. A hint never contains an
 * expected signature or a secret.
 */
export function explain(
  source: Source,
  message: SignedMessage,
  failure: { reason: string; now: number; window: number },
): string[] {
  const { reason, now, window } = failure;
  const variant = variantFor(source.scheme, message);
  const [signatureHeader = ""] = variant.signatureHeaders;
  const from = variant.scheme.timestamp?.from;
  const timestampHeader =
    from !== undefined && "header" in from ? from.header : "";
  const timestampText = headerOf(message, timestampHeader);
  switch (reason) {
    case "missing_signature":
      return [
        `the header ${signatureHeader} is missing; check that the sender signs and that no proxy removes it`,
      ];
    case "malformed_signature":
      return [
        `${signatureHeader} must be exactly 64 hex digits, without a prefix such as sha256=`,
      ];
    case "missing_timestamp":
      return [
        `the header ${timestampHeader} is missing; check that the sender sets it and that no proxy removes it`,
      ];
    case "malformed_timestamp":
      return [
        /^\d{13}$/.test(timestampText)
          ? "the timestamp is in milliseconds; it must be in seconds"
          : "the timestamp must be unix seconds, with 1 to 11 digits",
      ];
    case "stale_timestamp":
    case "future_timestamp": {
      const skew = skewSeconds(now, parseTimestamp(timestampText, "s") ?? 0);
      return [
        `the signature is valid, but its timestamp is ${Math.abs(skew)} s ${skew > 0 ? "before" : "after"} the time of this clock; the replay window is ${window} s`,
        "sign each attempt again, and check both clocks",
      ];
    }
    case "expired_secret":
      return [
        "the message was signed with the previous secret, which has expired; sign with the current secret",
      ];
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
  // The first match wins. Simple changes come first, because undoing a larger change often undoes them too.
  const change = BODY_CHANGES.find(({ undo }) => {
    const original = undo(body);
    return (
      original !== null &&
      verify(source, { ...message, body: original }, now).ok
    );
  });
  const hints =
    change === undefined
      ? []
      : [`the signature is valid if this change is undone: ${change.text}`];

  for (const other of HEX_SCHEME_NAMES) {
    if (other !== source.scheme.name) {
      const otherwise = { ...source, scheme: schemeOf(other) };
      if (verify(otherwise, message, now).ok) {
        hints.push(
          `the signature is valid for the scheme ${other}, but this source has ${source.scheme.name}; change HEX_SIGNATURE_SCHEME or the sender`,
        );
      }
    }
  }
  const keyIds = source.secrets.map(({ keyId }) => keyId).join(", ");
  return hints.length > 0
    ? hints
    : [
        `the message was not signed with a secret of this source (key ids: ${keyIds}), or its body or timestamp was changed`,
        "compare the key id, and the SHA-256 of the body, with those of the sender",
      ];
}
