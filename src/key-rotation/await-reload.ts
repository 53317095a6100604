import { setTimeout as delay } from "node:timers/promises";
import { parseEntry } from "../audit/parsed-entry.ts";
import type { AuditReader } from "../store/port.ts";

const POLL_MS = 100;
const MAX_ROWS = 1000;

/** How a running service reacted to a replaced key. */
export type ReloadOutcome =
  | { readonly outcome: "reloaded"; readonly writer: string }
  /** It rejected the new configuration and keeps the current one. */
  | { readonly outcome: "rejected"; readonly errors: readonly string[] }
  /** It has not written an entry about the key within the time limit. */
  | { readonly outcome: "unconfirmed" };

/**
 * Waits for an audit entry after `position` that says whether a service applied or rejected the key for `variable`. Returns
 * `unconfirmed` if there is none within `withinMs`, or if the signal aborts.
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
    const rows = await trail.readAudit(position, MAX_ROWS);
    for (const { line } of rows) {
      const outcome = outcomeOf(line, expected);
      if (outcome !== null) {
        return outcome;
      }
    }
    position = rows.at(-1)?.position ?? position;
    if (rows.length < MAX_ROWS) {
      await delay(POLL_MS, undefined, { signal }).catch(() => undefined);
    }
  }
  return { outcome: "unconfirmed" };
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
      outcome: "rejected",
      errors: Array.isArray(errors) ? errors.map(String) : [],
    };
  }
  return variable === expected.variable && keyId === expected.keyId
    ? { outcome: "reloaded", writer: entry.chain.writer }
    : null;
}
