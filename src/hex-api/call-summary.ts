import type { AuditDraft } from "../audit/entry.ts";

const SUMMARY_EVERY_MS = 3_600_000;

/** A summary, and the checkpoint after it, are sent with at most this number of calls. These calls alone cause no other summary. */
const OWN_CALLS = 2;

/**
 * Summarises the audit entries of the calls that send audit entries. If each call had an entry, sending that entry would cause
 * another call, indefinitely. So the first successful call has an entry, and later calls are counted in at most one entry an
 * hour. The first denial has an entry, and later denials have none until a call succeeds. Failed calls have none, because the
 * sink reports its failures separately.
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
