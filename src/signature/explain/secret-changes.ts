import type { SigningSecret } from "../../domain/source.ts";
import { readKey } from "../keys.ts";
import type { Cause } from "./causes.ts";
import type { Change } from "./finding.ts";

/** A key that the sender may have made from a secret. */
interface OtherKey {
  readonly cause: Cause;
  readonly key: Buffer;
  readonly says: string;
  readonly fix: string;
}

const COPY = "copy the secret again, exactly as the provider shows it";

/** Mistakes in reading a secret, at the sender or here. Public keys have none of them. */
export const SECRET_CHANGES: Change = {
  kind: "content",
  *candidates({ source, message }) {
    for (const secret of source.secrets) {
      if (secret.publicKey !== null) {
        continue;
      }
      for (const { cause, key, says, fix } of otherKeys(secret)) {
        if (key.length > 0 && !key.equals(secret.key)) {
          yield {
            source: { ...source, secrets: [{ ...secret, key }] },
            message,
            finding: { cause, says: `${says} (key ${secret.keyId})`, fix },
          };
        }
      }
    }
  },
};

/** Secrets of the other sources. */
export const OTHER_SECRETS: Change = {
  kind: "content",
  *candidates({ source, message }, { sources }) {
    for (const other of sources) {
      if (other.name === source.name) {
        continue;
      }
      for (const secret of other.secrets) {
        const key = readKey(source.scheme, secret.text);
        if ("error" in key) {
          continue;
        }
        yield {
          source: { ...source, secrets: [{ ...secret, ...key }] },
          message,
          finding: {
            cause: "other-source-secret",
            says: `the sender signed with the secret of the source ${other.name} (key ${secret.keyId})`,
            fix: `set the secret of ${source.name} at the sender, or register the URL of ${other.name} there`,
          },
        };
      }
    }
  },
};

function* otherKeys({ text, key }: SigningSecret): Generator<OtherKey> {
  yield {
    cause: "secret-text",
    key: Buffer.from(text),
    says: "the sender uses the secret as text, but the scheme decodes it",
    fix: "have the sender decode the secret, or set `keyDecoding: verbatim` in a custom scheme",
  };
  for (const end of ["\n", "\r\n"]) {
    yield {
      cause: "secret-newline",
      key: Buffer.from(text + end),
      says: "the sender's secret has a newline at its end",
      fix: "write the sender's secret without a newline: `printf %s` instead of `echo`",
    };
  }
  for (const spaced of [`${text} `, ` ${text}`, text.trim()]) {
    yield {
      cause: "secret-space",
      key: Buffer.from(spaced),
      says: "the secret has a space at its beginning or end on one side only",
      fix: COPY,
    };
  }
  const bare = text.replace(/^["'`]|["'`]$/g, "");
  for (const quoted of [`"${text}"`, `'${text}'`, bare]) {
    yield {
      cause: "secret-quotes",
      key: Buffer.from(quoted),
      says: "the secret has quotes on one side only",
      fix: "remove the quotes: an environment file of Docker, for example, keeps them",
    };
  }
  yield* prefixes(text);
  yield* decodings(text, key);
  for (const other of [text.toLowerCase(), text.toUpperCase()]) {
    yield {
      cause: "secret-case",
      key: Buffer.from(other),
      says: "the secret has other capital letters at the sender",
      fix: COPY,
    };
  }
}

const PREFIX = /^[a-z]{1,10}_/;

function* prefixes(text: string): Generator<OtherKey> {
  const withoutPrefix = text.replace(PREFIX, "");
  for (const other of [withoutPrefix, `whsec_${text}`]) {
    yield {
      cause: "secret-prefix",
      key: Buffer.from(other),
      says:
        other === withoutPrefix
          ? "the sender uses the secret without its prefix"
          : "the sender uses the secret with the prefix whsec_",
      fix: `${COPY}; the scheme decides whether a prefix belongs to the key`,
    };
  }
}

function* decodings(text: string, key: Buffer): Generator<OtherKey> {
  for (const encoded of new Set([text, text.replace(PREFIX, "")])) {
    if (/^[A-Za-z0-9+/_-]+={0,2}$/.test(encoded)) {
      yield {
        cause: "secret-base64",
        key: Buffer.from(encoded, "base64"),
        says: "the sender decodes the secret from base64, but the scheme uses it as text",
        fix: "have the sender use the secret as text, or set `keyDecoding: base64` in a custom scheme",
      };
    }
    if (/^(?:[0-9a-fA-F]{2})+$/.test(encoded)) {
      yield {
        cause: "secret-hex",
        key: Buffer.from(encoded, "hex"),
        says: "the sender decodes the secret from hex, but the scheme does not",
        fix: "have the sender use the secret as text, or set `keyDecoding: hex` in a custom scheme",
      };
    }
  }
  for (const bytes of [key, Buffer.from(text)]) {
    yield {
      cause: "secret-base64",
      key: Buffer.from(bytes.toString("base64")),
      says: "the sender uses the base64 text of the key as its secret",
      fix: "have the sender decode its secret from base64 first",
    };
    yield {
      cause: "secret-hex",
      key: Buffer.from(bytes.toString("hex")),
      says: "the sender uses the hex digits of the key as its secret",
      fix: "have the sender decode its secret from hex first",
    };
  }
}
