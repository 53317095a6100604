import { setTimeout as delay } from "node:timers/promises";
import { parseEntry } from "../audit/parsed-entry.ts";
import type { AuditReader } from "../store/port.ts";

const LOOK_EVERY_MS = 100;
const STEP = 1000;

/** What a running service made of a key that was replaced. */
export type ReloadOutcome =
  | { readonly outcome: "reloaded"; readonly writer: string }
  /** It has refused its configuration, and goes on with what it had. */
  | { readonly outcome: "refused"; readonly errors: readonly string[] }
  /** Nothing was heard of it. */
  | { readonly outcome: "silent" };

/**
 * Waits until the audit trail says that a service has taken this key for `variable`, behind `position`, or that it has
 * refused to; `silent` when that has not come within `withinMs` or the signal aborts.
 */
export async function awaitReload(
  trail: Pick<AuditReader, "readAudit">,
  expected: { position: number; variable: string; keyId: string },
  options: {
    withinMs: number;
    /** Milliseconds of a monotonic clock. */
    now: () => number;
    signal: AbortSignal;
  },
): Promise<ReloadOutcome> {
  const { withinMs, now, signal } = options;
  const deadline = now() + withinMs;
  let { position } = expected;
  while (now() < deadline && !signal.aborted) {
    const rows = await trail.readAudit(position, STEP);
    for (const { line } of rows) {
      const outcome = outcomeOf(line, expected);
      if (outcome !== null) {
        return outcome;
      }
    }
    position = rows.at(-1)?.position ?? position;
    if (rows.length < STEP) {
      await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  }
  return { outcome: "silent" };
}

function outcomeOf(
  line: string,
  expected: { variable: string; keyId: string },
): ReloadOutcome | null {
  const entry = parseEntry(line);
  if (
    entry === null ||
    !["secret.reloaded", "config.reloaded"].includes(entry.action)
  ) {
    return null;
  }
  const { variable, keyId, errors } = entry.metadata;
  if (entry.result === "failure") {
    return {
      outcome: "refused",
      errors: Array.isArray(errors) ? errors.map(String) : [],
    };
  }
  return variable === expected.variable && keyId === expected.keyId
    ? { outcome: "reloaded", writer: entry.chain.writer }
    : null;
}
