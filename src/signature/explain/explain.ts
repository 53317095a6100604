import { BODY_CHANGES } from "./body-changes.ts";
import { explainForm } from "./explain-form.ts";
import { explainReason } from "./explain-reason.ts";
import {
  likely,
  type Change,
  type Context,
  type Finding,
  type Trial,
} from "./finding.ts";
import {
  RENAMED_HEADERS,
  SIGNATURE_ENCODINGS,
  SIGNATURE_PREFIXES,
  TIMESTAMP_UNITS,
} from "./header-changes.ts";
import {
  OTHER_SCHEMES,
  OTHER_SOURCES,
  SCHEME_VARIANTS,
} from "./scheme-changes.ts";
import { search } from "./search.ts";
import { OTHER_SECRETS, SECRET_CHANGES } from "./secret-changes.ts";
import { URL_CHANGES } from "./url-changes.ts";

/** All changes that can be undone. Those of the body take longest, so they come last. */
const CHANGES: readonly Change[] = [
  OTHER_SOURCES,
  RENAMED_HEADERS,
  SIGNATURE_PREFIXES,
  SIGNATURE_ENCODINGS,
  TIMESTAMP_UNITS,
  OTHER_SCHEMES,
  SCHEME_VARIANTS,
  URL_CHANGES,
  SECRET_CHANGES,
  OTHER_SECRETS,
  BODY_CHANGES,
];

/**
 * Returns what is wrong with a message that a source does not accept. It undoes the known mistakes one by one and in pairs until the
 * signature is valid; then the cause is proven. All schemes are treated alike, by their descriptions. Tries only the secrets of
 * configured sources, and a limited number of combinations. `reason` is that of the audit trail.
 */
export function explain(
  trial: Trial,
  reason: string,
  context: Context,
): readonly Finding[] {
  const known = explainReason(trial, reason, context);
  if (known !== null) {
    return [known];
  }
  if (trial.source.secrets.length === 0) {
    return [
      likely({
        cause: "secret-missing",
        says: "there is no secret to check the signature with",
        fix: "set the secret of the source",
      }),
    ];
  }
  const { findings, isComplete } = search(trial, context, CHANGES);
  return findings.length > 0
    ? findings
    : explainForm(trial, reason, isComplete);
}
