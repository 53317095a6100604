import type { AuditDraft } from "../audit/entry.ts";

const SUMMARY_EVERY_MS = 3_600_000;

/** Maximum number of calls that send a summary and the checkpoint after it. They alone do not cause another summary. */
const OWN_CALLS = 2;

/**
 * Summarises the audit entries of the calls that send audit entries. If each call had an entry, sending that entry would cause
 * another call, indefinitely. So the first successful call has an entry, and later ones are counted in at most one entry an
 * hour. A denial has one entry. Failed calls have none, because the health of the sink has separate entries.
 */
export function createCallSummary(
  append: (entry: AuditDraft) => Promise<void>,
): (entry: AuditDraft) => Promise<void> {
  let calls = 0;
  let writtenAt: number | null = null;
  let denied = false;

  return async (entry) => {
    if (entry.action === "hex.api.denied") {
      if (!denied) {
        denied = true;
        await append(entry);
      }
      return;
    }
    if (entry.result === "failure") {
      return;
    }
    denied = false;
    calls += 1;
    if (
      writtenAt === null ||
      (entry.at - writtenAt >= SUMMARY_EVERY_MS && calls > OWN_CALLS)
    ) {
      const { metadata } = entry;
      await append({ ...entry, metadata: { ...metadata, calls } });
      calls = 0;
      writtenAt = entry.at;
    }
  };
}
