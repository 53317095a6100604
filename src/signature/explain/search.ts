import { verify } from "../verify.ts";
import {
  proven,
  type Candidate,
  type Change,
  type Context,
  type Finding,
  type Trial,
} from "./finding.ts";

/** What one attempt costs besides the bytes that it hashes, in bytes. A signature with a public key costs more. */
const ATTEMPT_COST = 4096;
const PUBLIC_KEY_COST = 4 * ATTEMPT_COST;

/** How much more a changed body costs than one that is only hashed. Large ones are changed anew each time. */
const CHANGED_BODY_FACTOR = 4;
const LARGE_BODY_FACTOR = 16;
const LARGE_BODY_BYTES = 65_536;

/** The limit of a search in bytes: a few seconds at most. */
const BUDGET = 512 * 1024 * 1024;

export interface SearchResult {
  /** One finding, or two changes that were made together. Empty if nothing was found. */
  readonly findings: readonly Finding[];
  /** False if the search ended at its limit. */
  readonly isComplete: boolean;
}

/** Whether the signature of a trial is valid. One of an expired secret is, too. */
function isAuthentic({ source, message }: Trial, now: number): boolean {
  const result = verify(source, message, now);
  return result.ok || result.reason === "expired_secret";
}

/** Undoes each known change, and then each pair of changes, until the signature is valid. */
export function search(
  trial: Trial,
  context: Context,
  changes: readonly Change[],
): SearchResult {
  let left = BUDGET;
  const factor =
    trial.message.body.length > LARGE_BODY_BYTES
      ? LARGE_BODY_FACTOR
      : CHANGED_BODY_FACTOR;
  const succeeds = (candidate: Candidate): boolean => {
    const isChanged = candidate.message.body !== trial.message.body;
    left -= costOf(candidate) * (isChanged ? factor : 1);
    return isAuthentic(candidate, context.now);
  };
  const candidates = function* (from: Trial, kinds: readonly Change[]) {
    left -= costOf(from);
    const reason = reasonOf(from, context.now);
    // A signature that a first change does not find is not found by a second one.
    if (from !== trial && reason === "missing_signature") {
      return;
    }
    const isReadable = READABLE.includes(reason);
    for (const [n, change] of kinds.entries()) {
      if (change.kind === "form" || isReadable) {
        for (const candidate of change.candidates(from, context)) {
          if (left <= 0) {
            return;
          }
          yield { candidate, later: kinds.slice(n + 1) };
        }
      }
    }
  };

  for (const { candidate } of candidates(trial, changes)) {
    if (succeeds(candidate)) {
      return found(candidate);
    }
  }
  for (const { candidate: first, later } of candidates(trial, changes)) {
    for (const { candidate: second } of candidates(first, later)) {
      if (succeeds(second)) {
        return found(first, second);
      }
    }
  }
  return { findings: [], isComplete: left > 0 };
}

function found(...candidates: readonly Candidate[]): SearchResult {
  return {
    findings: candidates.map(({ finding }) => proven(finding)),
    isComplete: true,
  };
}

/** Reasons of a message whose signature could be read, but is of other bytes or another key. */
const READABLE = ["bad_signature", "missing_public_url"];

function reasonOf({ source, message }: Trial, now: number): string {
  const result = verify(source, message, now);
  return result.ok ? "" : result.reason;
}

function costOf({ source, message }: Trial): number {
  return source.secrets.reduce(
    (sum, { publicKey }) =>
      sum +
      message.body.length +
      (publicKey === null ? ATTEMPT_COST : PUBLIC_KEY_COST),
    0,
  );
}
