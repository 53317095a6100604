import type { ChainHead } from "../../audit/chain.ts";
import { entriesPurged } from "../../audit/retention-entries.ts";
import {
  type Deletable,
  planRetention,
  type RetentionPlan,
} from "../../audit/retention-plan.ts";
import { createRetentionProof, isHead } from "../../audit/retention-proof.ts";
import type { StoredEntry } from "../../audit/stored-entry.ts";
import {
  FORGET_WRITER_AFTER_MS,
  lastReportIn,
  MAX_PURGED_WRITERS,
  signedReports,
} from "../audit-purge.ts";
import type { AuditLog } from "../port.ts";
import type { AuditPurgeRequest } from "../records.ts";
import { dropEmptyDays } from "./drop-empty-days.ts";
import type { Lane, Tx } from "./lane.ts";
import type { Partitions } from "./partitions.ts";
import type { Pool } from "./pool.ts";
import { withTrailLookup } from "./trail-lookup.ts";

interface Row extends StoredEntry {
  readonly day: number;
}

const ROWS = {
  name: "old-entries",
  text: `
SELECT position, day, writer, line FROM audit_entry WHERE position > $1 AND position <= $2 ORDER BY position LIMIT $3`,
};

const NOTE_PURGED = {
  name: "note-purged",
  text: `
UPDATE audit_writer SET purged_seq = head.seq, purged_hash = head.hash, purged_at = $4
FROM unnest($1::text[], $2::bigint[], $3::text[]) AS head (writer, seq, hash) WHERE audit_writer.writer = head.writer`,
};

const NOTE_REPORTED = {
  name: "note-reported",
  text: `
UPDATE audit_writer SET purged_by = $2, purged_told = (SELECT last_value FROM audit_position) WHERE writer = ANY ($1)`,
};

const FORGET = {
  name: "forget-writers",
  text: "DELETE FROM audit_writer WHERE purged_seq = seq AND purged_at < $1",
};

const UNREPORTED = {
  name: "unreported-purges",
  text: `
SELECT writer, purged_seq AS seq, purged_hash AS hash FROM audit_writer
WHERE purged_seq > 0 AND purged_told <= $1 ORDER BY ordinal`,
};

interface PurgeDeps {
  readonly writer: string;
  /** The public key of this writer's checkpoints. */
  readonly publicKey: string;
  readonly pool: Pool;
  readonly lane: Pick<Lane, "run">;
  readonly partitions: Pick<Partitions, "list" | "drop">;
  readonly now: () => number;
}

/**
 * Deletes old entries of the trail, and writes the entries that name what was deleted. The plan and its proofs are made
 * before the transaction, so that they do not delay other transactions. At the end of a sweep it drops the partitions of old
 * days that are empty now.
 */
export function createAuditPurger(deps: PurgeDeps): AuditLog["purgeAudit"] {
  const { pool, lane, now } = deps;
  /** Writers whose entries stay until the next sweep from the oldest entry, because some of their earlier entries stay. */
  const blocked = new Set<string>();

  function makePlan(
    rows: readonly Row[],
    { before, limit }: AuditPurgeRequest,
  ): Promise<RetentionPlan> {
    const at = now();
    return withTrailLookup(pool, (lookup) =>
      planRetention(rows, {
        before,
        now: at,
        hasMore: rows.length === limit,
        blocked,
        hasEnded: (head) =>
          head.writer !== deps.writer && lookup.hasEnded(head, before),
        prove: createRetentionProof(lookup, {
          ownKey: deps.publicKey,
          before,
        }),
      }),
    );
  }

  return async (request) => {
    const { before, upTo, from, limit } = request;
    if (from === 0) {
      blocked.clear();
    }
    const rows = await pool.query<Row>(ROWS, [from, upTo, limit]);
    const plan = await makePlan(rows, request);
    for (const writer of plan.blocked) {
      blocked.add(writer);
    }
    const deleted = plan.deletable.slice(0, MAX_PURGED_WRITERS);
    const days = new Map(rows.map(({ position, day }) => [position, day]));
    const isDeleted =
      deleted.length === 0 ||
      (await lane.run((tx) => remove(tx, { deleted, days, before })));
    const next = plan.next(isDeleted ? deleted : []);
    if (next === null) {
      await dropEmptyDays(pool, deps.partitions, before);
    }
    return {
      entries: isDeleted
        ? deleted.reduce((sum, { entries }) => sum + entries.length, 0)
        : 0,
      hasLeftOut: blocked.size > 0,
      changed: plan.changed,
      next,
    };
  };

  /** Returns false and deletes nothing if another process has deleted some of the entries. */
  async function remove(
    tx: Tx,
    what: {
      readonly deleted: readonly Deletable[];
      /** The day of each position. */
      readonly days: ReadonlyMap<number, number>;
      readonly before: number;
    },
  ): Promise<boolean> {
    const { deleted, days, before } = what;
    const positions = deleted.flatMap(({ entries }) =>
      entries.map(({ position }) => position),
    );
    const partitions = new Set(positions.map((at) => days.get(at) ?? 0));
    // In the order of positions, so that a rival waits and does not deadlock. The days are part of the text, so that the
    // planner skips the other partitions.
    const found = await tx.query(
      {
        name: "",
        text: `
SELECT FROM audit_entry WHERE day IN (${[...partitions].join()}) AND position = ANY ($1) ORDER BY position FOR UPDATE`,
      },
      [positions],
    );
    if (found.length !== positions.length) {
      return false;
    }
    await tx.execute(
      {
        name: "",
        text: `DELETE FROM audit_entry WHERE day IN (${[...partitions].join()}) AND position = ANY ($1)`,
      },
      [positions],
    );
    const heads = deleted.map(({ head }) => head);
    await tx.execute(NOTE_PURGED, [
      heads.map(({ writer }) => writer),
      heads.map(({ seq }) => seq),
      heads.map(({ hash }) => hash),
      now(),
    ]);
    await report(tx, heads, { entries: positions.length, before });
    await tx.execute(FORGET, [before - FORGET_WRITER_AFTER_MS]);
    // Some of the deleted entries may be reports of earlier deletions. What those with a signature named is reported again.
    const reported = deleted.flatMap(signedReports);
    const unreported = await tx.query<ChainHead>(UNREPORTED, [
      lastReportIn(deleted),
    ]);
    const repeated = unreported.filter((head) => reported.some(isHead(head)));
    await report(tx, repeated, { entries: 0, before });
    tx.checkpoint();
    return true;
  }

  /** Writes the entries that name what was deleted. */
  async function report(
    tx: Tx,
    writers: readonly ChainHead[],
    { entries, before }: { entries: number; before: number },
  ): Promise<void> {
    for (let i = 0; i < writers.length; i += MAX_PURGED_WRITERS) {
      const purged = {
        entries: i === 0 ? entries : 0,
        writers: writers.slice(i, i + MAX_PURGED_WRITERS),
      };
      tx.append(entriesPurged(purged, { at: now(), before }));
    }
    await tx.execute(NOTE_REPORTED, [
      writers.map(({ writer }) => writer),
      deps.writer,
    ]);
  }
}
