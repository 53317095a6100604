import type { SignatureFormat } from "../../domain/scheme.ts";
import { decodeBase64, decodeHex } from "../encoding.ts";

/** A signature's text in the scheme's encoding, and how it was written instead. */
export interface Reencoded {
  readonly text: string;
  /** Completes the sentence "the signature is …". */
  readonly how: string;
}

/** `sha256=`, `v0=`, `v1,`, `Bearer ` and the like before a signature. */
const ANY_PREFIX = /^(?:[a-z0-9-]{1,16}[=:,]|(?:bearer|basic|hmac|token) )\s*/i;

/** Returns a signature without any prefix. */
export function withoutPrefix(text: string): string {
  return text.replace(ANY_PREFIX, "");
}

/** Replaces each signature in a header's value. Leaves prefixes, other pairs and versions as they are. */
export function rewriteSignatures(
  { syntax }: SignatureFormat,
  text: string,
  rewrite: (signature: string) => string,
): string {
  switch (syntax.kind) {
    case "raw": {
      const { prefix = "" } = syntax;
      return text.startsWith(prefix)
        ? prefix + rewrite(text.slice(prefix.length))
        : text;
    }
    case "pairs":
      return text
        .split(syntax.separator)
        .map((item) => {
          const beginning = `${syntax.key}=`;
          const pair = item.trim();
          return pair.startsWith(beginning)
            ? beginning + rewrite(pair.slice(beginning.length))
            : item;
        })
        .join(syntax.separator);
    case "list":
      return text
        .split(" ")
        .map((item) => {
          const comma = item.indexOf(",");
          return item.slice(0, comma + 1) + rewrite(item.slice(comma + 1));
        })
        .join(" ");
  }
}

/** Yields the texts of a signature that was written in another encoding than the scheme's. */
export function* reencoded(
  signature: string,
  encoding: "hex" | "base64",
): Generator<Reencoded> {
  for (const { bytes, how } of readings(signature)) {
    const text = bytes.toString(encoding);
    if (bytes.length > 0 && text !== signature) {
      yield { text, how };
    }
  }
}

function* readings(
  signature: string,
): Generator<{ bytes: Buffer; how: string }> {
  const hex = decodeHex(signature);
  if (hex !== null) {
    yield { bytes: hex, how: "in hex" };
  }
  const separated = decodeHex(signature.replace(/^0x|[\s:-]/g, ""));
  if (hex === null && separated !== null) {
    yield { bytes: separated, how: "in hex with separators" };
  }
  const base64 = decodeBase64(signature);
  if (base64 !== null) {
    const inner = decodeHex(base64.toString("latin1"));
    if (inner !== null) {
      yield { bytes: inner, how: "in base64 of its hex digits" };
    }
    yield { bytes: base64, how: "in base64" };
  } else if (/^[A-Za-z0-9+/_-]+={0,2}$/.test(signature)) {
    yield {
      bytes: Buffer.from(signature, "base64"),
      how: /[_-]/.test(signature)
        ? "in base64url"
        : "in base64 without its padding",
    };
  }
  if (/%[0-9a-fA-F]{2}/.test(signature)) {
    const decoded = signature.replace(/%(?:2B|2F|3D)/gi, (escape) =>
      String.fromCharCode(parseInt(escape.slice(1), 16)),
    );
    const bytes = decodeBase64(decoded);
    if (bytes !== null) {
      yield { bytes, how: "percent-encoded" };
    }
  }
}
