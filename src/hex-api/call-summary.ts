import type { AuditDraft } from "../audit/entry.ts";

const SUMMARY_EVERY_MS = 3_600_000;

/** A summary and the checkpoint behind it are sent too, in so many calls at most: they alone are no news. */
const OWN_CALLS = 2;

/**
 * Takes the entries of the calls that audit entries are sent with. One for each would be sent in a call of its own, and so
 * without end: the first call that succeeds has its entry, further ones are counted into one an hour at most. A denial has
 * its entry once. Calls that fail are left to the health of the sink, which has entries of its own.
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
