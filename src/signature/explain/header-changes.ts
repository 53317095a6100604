import type { Scheme } from "../../domain/scheme.ts";
import { variantFor, variantsOf } from "../compiled-scheme.ts";
import { headerOf, type SignedMessage } from "../message.ts";
import { formatTimestamp, parseTimestamp } from "../timestamps.ts";
import type { Candidate, Change, Trial } from "./finding.ts";
import {
  reencoded,
  rewriteSignatures,
  withoutPrefix,
} from "./signature-text.ts";
import { UNIT_NAMES } from "./unit-names.ts";

/** Headers that arrived under another name. */
export const RENAMED_HEADERS: Change = {
  kind: "form",
  *candidates({ source, message }) {
    for (const { headers: expected } of variantsOf(source.scheme)) {
      const headers = { ...message.headers };
      const renamed: string[] = [];
      for (const name of expected.filter((one) => !headers[one])) {
        const found = Object.keys(message.headers).find(
          (other) => plain(other, source.scheme) === plain(name, source.scheme),
        );
        if (found !== undefined) {
          headers[name] = message.headers[found];
          renamed.push(`${name} arrived as ${found}`);
        }
      }
      const [first] = renamed;
      if (first !== undefined) {
        yield {
          source,
          message: { ...message, headers },
          finding: {
            cause: "header-renamed",
            says: `the header ${first}`,
            fix: "have the proxy or the gateway pass on the sender's headers under their own names",
          },
        };
      }
    }
  },
};

/** What a name has in common with its renamed forms, such as `HTTP_X_SIGNATURE`, `x-amzn-remapped-x-signature`. */
function plain(name: string, { prefixes = [] }: Scheme): string {
  const dashed = name
    .toLowerCase()
    .replaceAll("_", "-")
    .replace(/^(?:http-|x-amzn-remapped-|x-original-|x-forwarded-)+/, "");
  const own = prefixes.find((prefix) => dashed.startsWith(prefix)) ?? "";
  return dashed.slice(own.length).replace(/^x-/, "");
}

/** Quotes around the value of a header, or another prefix before a signature. */
export const SIGNATURE_PREFIXES: Change = {
  kind: "form",
  *candidates(trial) {
    const { scheme } = trial.source;
    const { syntax } = scheme.signature;
    yield* withSignature(trial, "signature-quotes", (text) => [
      {
        text: text.replaceAll(/["'`]/g, ""),
        says: "the signature is in quotes",
        fix: "have the sender write the signature without quotes",
      },
    ]);
    const expected =
      syntax.kind === "raw"
        ? (syntax.prefix ?? "")
        : syntax.kind === "list"
          ? `${Object.keys(syntax.versions)[0] ?? ""},`
          : null;
    if (expected !== null) {
      const asked =
        expected === "" ? "without a prefix" : `after the prefix ${expected}`;
      yield* withSignature(trial, "signature-prefix", (text) => [
        {
          text: expected + withoutPrefix(text),
          says:
            withoutPrefix(text) === text
              ? `the signature has no prefix, but the scheme has ${expected}`
              : `the signature has another prefix than the scheme`,
          fix: `have the sender write the signature ${asked}`,
        },
      ]);
    }
    if (syntax.kind === "pairs") {
      const { key, separator } = syntax;
      yield* withSignature(trial, "signature-prefix", (text) => [
        {
          text: text.replaceAll(/[,;&\s]+/g, separator),
          says: "the pairs of the signature header have another separator than the scheme",
          fix: `have the sender separate the pairs with ${separator}`,
        },
        ...[...text.matchAll(/(?:^|[,;\s])([\w-]{1,16})=/g)].map(
          ([, other = ""]) => ({
            text: text.replaceAll(`${other}=`, `${key}=`),
            says: `the signature has the key ${other}, but the scheme has ${key}`,
            fix: `have the sender write the signature as ${key}=…`,
          }),
        ),
      ]);
    }
  },
};

/** Signatures in another encoding than the scheme's. */
export const SIGNATURE_ENCODINGS: Change = {
  kind: "form",
  *candidates(trial) {
    const { signature } = trial.source.scheme;
    const { encoding } = signature;
    if (encoding === "text") {
      return;
    }
    const name = encoding === "hex" ? "hex digits" : "base64 with padding";
    yield* withSignature(trial, "signature-encoding", (text) => {
      const signatures: string[] = [];
      rewriteSignatures(signature, text, (one) => {
        signatures.push(one);
        return one;
      });
      return signatures.flatMap((one) =>
        [...reencoded(one, encoding)].map(({ text: other, how }) => ({
          text: rewriteSignatures(signature, text, (each) =>
            each === one ? other : each,
          ),
          says: `the signature is ${how}, but the scheme has ${name}`,
          fix: `have the sender write the signature as ${name}`,
        })),
      );
    });
  },
};

/** A timestamp header that was converted to another unit after it was signed. */
export const TIMESTAMP_UNITS: Change = {
  kind: "form",
  *candidates({ source, message }) {
    const { timestamp } = variantFor(source.scheme, message).scheme;
    if (timestamp === null || !("header" in timestamp.from)) {
      return;
    }
    const { header } = timestamp.from;
    const text = headerOf(message, header).replaceAll(/["'\s]/g, "");
    for (const unit of ["s", "ms", "rfc3339"] as const) {
      const seconds = parseTimestamp(text, unit);
      if (seconds === null) {
        continue;
      }
      yield {
        source,
        message: withHeader(
          message,
          header,
          formatTimestamp(seconds * 1000, timestamp.unit),
        ),
        finding: {
          cause: "timestamp-unit",
          says: `${header} was written as ${UNIT_NAMES[unit]}, but the sender signed ${UNIT_NAMES[timestamp.unit]}`,
          fix: `send the timestamp exactly as it was signed, as ${UNIT_NAMES[timestamp.unit]}`,
        },
      };
    }
  },
};

interface OtherText {
  readonly text: string;
  readonly says: string;
  readonly fix: string;
}

/** Yields a candidate for each other text of each signature header. */
function* withSignature(
  { source, message }: Trial,
  cause: Candidate["finding"]["cause"],
  others: (text: string) => readonly OtherText[],
): Generator<Candidate> {
  for (const { signatureHeaders } of variantsOf(source.scheme)) {
    for (const header of signatureHeaders) {
      const received = headerOf(message, header);
      for (const { text, says, fix } of received === ""
        ? []
        : others(received)) {
        if (text !== received) {
          yield {
            source,
            message: withHeader(message, header, text),
            finding: { cause, says, fix },
          };
        }
      }
    }
  }
}

function withHeader(
  message: SignedMessage,
  name: string,
  value: string,
): SignedMessage {
  return { ...message, headers: { ...message.headers, [name]: value } };
}
