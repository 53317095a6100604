import type { Algorithm, Scheme } from "../../domain/scheme.ts";
import type { Source } from "../../domain/source.ts";
import { readKey } from "../keys.ts";
import { SCHEMES } from "../schemes.ts";
import { compileTemplate } from "../template.ts";
import type { Candidate, Change, Trial } from "./finding.ts";
import { UNIT_NAMES } from "./unit-names.ts";

/** The other configured sources, with their own schemes and secrets. */
export const OTHER_SOURCES: Change = {
  kind: "form",
  *candidates({ source, message }, { sources }) {
    for (const other of sources) {
      if (other.name !== source.name && other.scheme !== source.scheme) {
        yield {
          source: other,
          message,
          finding: {
            cause: "other-source",
            says: `the request is valid for the source ${other.name}, but it was sent to ${source.name}`,
            fix: `register the URL of the source ${other.name} at this sender`,
          },
        };
      }
    }
  },
};

/** The other schemes, with the secrets of this source. */
export const OTHER_SCHEMES: Change = {
  kind: "form",
  *candidates({ source, message }) {
    for (const scheme of SCHEMES.values()) {
      if (scheme === source.scheme) {
        continue;
      }
      const secrets = source.secrets.flatMap((secret) => {
        const key = readKey(scheme, secret.text);
        return "error" in key ? [] : [{ ...secret, ...key }];
      });
      if (secrets.length > 0) {
        yield {
          source: { ...source, scheme, secrets },
          message,
          finding: {
            cause: "other-scheme",
            says: `the signature is valid for the scheme ${scheme.name}, but this source has ${source.scheme.name}`,
            fix: `set the scheme of this source to ${scheme.name}, or have the sender sign as ${source.scheme.name}`,
          },
        };
      }
    }
  },
};

/** Variants of this scheme: another algorithm, other signed bytes, another unit of the timestamp. */
export const SCHEME_VARIANTS: Change = {
  kind: "form",
  *candidates(trial) {
    yield* otherAlgorithms(trial);
    yield* otherTemplates(trial);
    yield* otherUnits(trial);
  },
};

const HMACS: Readonly<Partial<Record<Algorithm, string>>> = {
  "hmac-sha256": "HMAC-SHA256",
  "hmac-sha1": "HMAC-SHA1",
  "hmac-sha512": "HMAC-SHA512",
};

function* otherAlgorithms({ source, message }: Trial): Generator<Candidate> {
  const { scheme } = source;
  const own = HMACS[scheme.algorithm];
  if (own === undefined || scheme.signature.syntax.kind === "list") {
    return;
  }
  for (const [algorithm, name] of Object.entries(HMACS) as [
    Algorithm,
    string,
  ][]) {
    if (algorithm !== scheme.algorithm) {
      yield {
        source: {
          ...withScheme(source, { algorithm }),
          secrets: source.secrets.map((secret) => ({ ...secret, algorithm })),
        },
        message,
        finding: {
          cause: "other-algorithm",
          says: `the signature is ${name}, but the scheme has ${own}`,
          fix: `set ${own} at the sender`,
        },
      };
    }
  }
}

/** The signed bytes of all schemes. */
const TEMPLATES: readonly string[] = [
  ...new Set(
    [...SCHEMES.values()].flatMap(({ signed }) =>
      typeof signed === "string" ? [signed] : [],
    ),
  ),
];

function* otherTemplates({ source, message }: Trial): Generator<Candidate> {
  const { scheme } = source;
  if (scheme.algorithm === "token" || typeof scheme.signed !== "string") {
    return;
  }
  for (const signed of TEMPLATES) {
    if (signed !== scheme.signed && canFill(scheme, signed)) {
      yield {
        source: withScheme(source, { signed }),
        message,
        finding: {
          cause: "other-signed-bytes",
          says: `the sender signed ${signed}, but the scheme signs ${scheme.signed}`,
          fix: `have the sender sign ${scheme.signed}, or describe it as a custom scheme with signed: "${signed}"`,
        },
      };
    }
  }
}

function canFill({ timestamp, id }: Scheme, signed: string): boolean {
  const names = compileTemplate(signed)?.names ?? new Set<string>();
  return (
    (timestamp !== null || !names.has("timestamp")) &&
    ((id.from !== null && "header" in id.from) || !names.has("id"))
  );
}

function* otherUnits({ source, message }: Trial): Generator<Candidate> {
  const { timestamp } = source.scheme;
  if (timestamp === null) {
    return;
  }
  for (const unit of ["s", "ms", "rfc3339"] as const) {
    if (unit !== timestamp.unit) {
      yield {
        source: withScheme(source, { timestamp: { ...timestamp, unit } }),
        message,
        finding: {
          cause: "timestamp-unit",
          says: `the timestamp is ${UNIT_NAMES[unit]}, but the scheme has ${UNIT_NAMES[timestamp.unit]}`,
          fix: `have the sender write the timestamp as ${UNIT_NAMES[timestamp.unit]}, and sign it so`,
        },
      };
    }
  }
}

function withScheme(source: Source, changes: Partial<Scheme>): Source {
  return { ...source, scheme: { ...source.scheme, ...changes } };
}
