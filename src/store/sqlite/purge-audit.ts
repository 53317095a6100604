import type { AuditPurgeRequest, StoredEntry } from "../records.ts";
import type { Database } from "./driver.ts";
import type { ChainHead } from "../../audit/chain.ts";
import type { AuditDraft } from "../../audit/entry.ts";
import { entriesPurged } from "../../audit/retention-entries.ts";
import { planRetention } from "../../audit/retention-plan.ts";
import { createRetentionProof, isHead } from "../../audit/retention-proof.ts";
import {
  FORGET_WRITER_AFTER_MS,
  lastReportIn,
  MAX_PURGED_WRITERS,
  signedReports,
} from "../audit-purge.ts";
import { createTrailLookup } from "./trail-lookup.ts";
import type { AuditLog } from "../port.ts";

/** Deletes old entries of the trail inside the caller's transaction, and writes the entries that name what was deleted. */
export function createAuditPurger(
  db: Database,
  deps: {
    writer: string;
    /** The public key of this writer's checkpoints. */
    publicKey: string;
    append: (entry: AuditDraft) => void;
    checkpoint: () => void;
    now: () => number;
  },
) {
  const rowsAfter = db.prepare<[number, number, number], StoredEntry>(
    `SELECT position, writer, line FROM audit_entry
     WHERE position > ? AND position <= ? ORDER BY position LIMIT ?`,
  );
  const remove = db.prepare<[number]>(
    "DELETE FROM audit_entry WHERE position = ?",
  );
  // A writer that was not seen recently and whose last entry is this one.
  const ended = db.prepare<[string, number, number]>(
    "SELECT 1 FROM audit_writer WHERE writer = ? AND seq = ? AND seen_at < ?",
  );
  const notePurged = db.prepare<[number, string, number, string]>(
    "UPDATE audit_writer SET purged_seq = ?, purged_hash = ?, purged_at = ? WHERE writer = ?",
  );
  const noteReported = db.prepare<[number, string]>(
    "UPDATE audit_writer SET purged_told = ? WHERE writer = ?",
  );
  const lastPosition = db.prepare<[], { last: number | null }>(
    "SELECT max(position) AS last FROM audit_entry",
  );
  const forget = db.prepare<[number]>(
    "DELETE FROM audit_writer WHERE purged_seq = seq AND purged_at < ?",
  );
  const unreported = db.prepare<[number], ChainHead>(
    `SELECT writer, purged_seq AS seq, purged_hash AS hash FROM audit_writer
     WHERE purged_seq > 0 AND purged_told <= ? ORDER BY ordinal`,
  );

  const lookup = createTrailLookup(db);
  /** Writers whose entries stay until the next sweep from the oldest entry, because some of their earlier entries stay. */
  const blocked = new Set<string>();

  /** Writes the entries that name what was deleted. */
  function report(
    writers: readonly ChainHead[],
    entries: number,
    before: number,
  ): void {
    for (let i = 0; i < writers.length; i += MAX_PURGED_WRITERS) {
      const batch = writers.slice(i, i + MAX_PURGED_WRITERS);
      const position = (lastPosition.get()?.last ?? 0) + 1;
      const purged = { entries: i === 0 ? entries : 0, writers: batch };
      deps.append(entriesPurged(purged, { at: deps.now(), before }));
      for (const { writer } of batch) {
        noteReported.run(position, writer);
      }
    }
  }

  return (
    request: AuditPurgeRequest,
  ): Awaited<ReturnType<AuditLog["purgeAudit"]>> => {
    const { before, upTo, from, limit } = request;
    if (from === 0) {
      blocked.clear();
    }
    const rows = rowsAfter.all(from, upTo, limit);
    const plan = planRetention(rows, {
      before,
      now: deps.now(),
      hasMore: rows.length === limit,
      blocked,
      hasEnded: ({ writer, seq }) =>
        writer !== deps.writer && ended.get(writer, seq, before) !== undefined,
      prove: createRetentionProof(lookup, { ownKey: deps.publicKey, before }),
    });
    for (const writer of plan.blocked) {
      blocked.add(writer);
    }
    const deleted = plan.deletable.slice(0, MAX_PURGED_WRITERS);
    let entries = 0;
    const reported = deleted.flatMap(signedReports);
    for (const { entries: removed, head } of deleted) {
      for (const { position } of removed) {
        remove.run(position);
        entries += 1;
      }
      notePurged.run(head.seq, head.hash, deps.now(), head.writer);
    }
    if (entries > 0) {
      const heads = deleted.map(({ head }) => head);
      report(heads, entries, before);
      forget.run(before - FORGET_WRITER_AFTER_MS);
      // Some of the deleted entries may be reports of earlier deletions. What those with a signature named is reported
      // again.
      const repeated = unreported
        .all(lastReportIn(deleted))
        .filter((head) => reported.some(isHead(head)));
      report(repeated, 0, before);
      deps.checkpoint();
    }
    return {
      entries,
      hasLeftOut: blocked.size > 0,
      changed: plan.changed,
      next: plan.next(deleted),
    };
  };
}
