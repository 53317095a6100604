import { hash as digest } from "node:crypto";
import type { Scheme } from "../../domain/scheme.ts";
import { variantFor } from "../compiled-scheme.ts";
import { MAX_SIGNATURES } from "../offered.ts";
import { parseTimestamp } from "../timestamps.ts";
import { evidenceOf } from "./evidence.ts";
import {
  foundSignature,
  otherSignatures,
  placeName,
  receivedTimestamp,
  signatureForm,
  signaturePlace,
} from "./expected-form.ts";
import { likely, type Finding, type Trial } from "./finding.ts";
import { UNIT_NAMES } from "./unit-names.ts";

const SIGN_AND_PASS =
  "check that the sender signs its requests, and that no proxy removes the header";

/** Describes what the scheme asks for, if no known change explains the message. */
export function explainForm(
  trial: Trial,
  reason: string,
  isComplete: boolean,
): Finding[] {
  const { source, message } = trial;
  const { scheme } = variantFor(source.scheme, message);
  const place = signaturePlace(scheme);
  switch (reason) {
    case "missing_signature": {
      const other = otherSignatures(source.scheme, message);
      return [
        likely(
          other === null
            ? {
                cause: "signature-missing",
                says: `${place} is missing`,
                fix: SIGN_AND_PASS,
              }
            : {
                cause: "other-scheme",
                says: `${place} is missing, but the request has ${other.header}, the signature of ${other.names.join(", ")}`,
                fix: `check that the source has the scheme of its sender; it has ${source.scheme.name}`,
              },
        ),
      ];
    }
    case "malformed_signature":
      return [
        likely({
          cause: "signature-malformed",
          says: `${place} has ${foundSignature(scheme, message)}; the scheme ${scheme.name} has ${signatureForm(scheme)}`,
          fix: "check that the sender signs for this scheme, and that the value was copied completely",
        }),
      ];
    case "too_many_signatures":
      return [
        likely({
          cause: "signatures-too-many",
          says: `${place} has more than ${MAX_SIGNATURES} signatures`,
          fix: "end old rotations of the secret at the sender",
        }),
      ];
    case "missing_timestamp":
    case "malformed_timestamp":
      return scheme.timestamp === null
        ? []
        : [likely(timestampFinding(scheme.timestamp, trial, reason))];
    case "missing_id":
    case "malformed_id":
      return scheme.id.from === null
        ? []
        : [
            likely({
              cause: "id-missing",
              says: `${placeName(scheme.id.from, scheme)}, the id that the signature covers, is missing or not a text`,
              fix: SIGN_AND_PASS,
            }),
          ];
    default: {
      const evidence = evidenceOf(trial);
      return evidence.length > 0 ? evidence : [unknown(trial, isComplete)];
    }
  }
}

function timestampFinding(
  { from, unit }: NonNullable<Scheme["timestamp"]>,
  { source, message }: Trial,
  reason: string,
): Omit<Finding, "isProven"> {
  const { scheme } = variantFor(source.scheme, message);
  const name = placeName(from, scheme);
  const form = UNIT_NAMES[unit];
  if (reason === "missing_timestamp") {
    return {
      cause: "timestamp-missing",
      says: `${name}, the timestamp, is missing`,
      fix: SIGN_AND_PASS,
    };
  }
  const text = receivedTimestamp(source.scheme, message);
  const other = (["s", "ms", "rfc3339"] as const).find(
    (one) => parseTimestamp(text, one) !== null,
  );
  return other === undefined
    ? {
        cause: "timestamp-malformed",
        says: `${name}, the timestamp, is not ${form}`,
        fix: `have the sender write ${form}, without signs, fractions, quotes or spaces`,
      }
    : {
        cause: "timestamp-unit",
        says: `${name}, the timestamp, is ${UNIT_NAMES[other]}, but the scheme has ${form}`,
        fix: `have the sender write the timestamp as ${form}, and sign it so`,
      };
}

function unknown({ source, message }: Trial, isComplete: boolean): Finding {
  const keyIds = source.secrets.map(({ keyId }) => keyId).join(", ");
  const sha256 = digest("sha256", message.body, "hex");
  return likely({
    cause: "unknown",
    says:
      `the request was not signed with a secret of this source (key ids: ${keyIds}), or it was changed in an unknown way` +
      (isComplete ? "" : "; it is too large to try all known changes"),
    fix: `compare with the sender: the secret, and the body of ${message.body.length} bytes with the SHA-256 ${sha256}`,
  });
}
