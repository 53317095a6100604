import { hasAction } from "../audit/entry.ts";
import { parseEntry } from "../audit/parsed-entry.ts";
import type { Deletable } from "../audit/retention-plan.ts";
import { reportedHeads } from "../audit/retention-proof.ts";

/* The rules for the deletion of audit entries that all drivers share. */

/** The maximum number of writers in one entry that names what was deleted. */
export const MAX_PURGED_WRITERS = 40;

/**
 * The row of a writer without entries is kept until every entry that names the writer is deleted, and for this time longer,
 * in milliseconds.
 */
export const FORGET_WRITER_AFTER_MS = 86_400_000;

/** Returns the heads that these entries report as deleted. Only entries that a signature covers count. */
export function signedReports({
  entries,
  signed,
}: Deletable): readonly unknown[] {
  return entries.slice(0, signed).flatMap(({ line }) => {
    const entry = hasAction(line, "retention.purged") ? parseEntry(line) : null;
    return entry === null ? [] : reportedHeads(entry);
  });
}

/** Returns the position of the newest of these entries that reports an earlier deletion; 0 = none. */
export function lastReportIn(deleted: readonly Deletable[]): number {
  return deleted
    .flatMap(({ entries }) => entries)
    .filter(({ line }) => hasAction(line, "retention.purged"))
    .reduce((last, { position }) => Math.max(last, position), 0);
}
