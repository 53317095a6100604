import { hash as digest } from "node:crypto";
import type { AuditDraft } from "../../audit/entry.ts";
import type { Recorded } from "../../domain/event.ts";
import { StoreError } from "../../errors.ts";
import type { CommitChanges } from "../commits.ts";
import { entryOfRecord } from "../record-entry.ts";
import type { EventRecord } from "../records.ts";
import {
  type AuditWriter,
  lineValues,
  parsePositions,
  POSITIONS,
  WRITE_LINES,
  writeLines,
} from "./audit-writer.ts";
import type { ClaimKey } from "./replay-claims.ts";
import type { Job } from "./job-queue.ts";
import type { AuditedTransaction } from "./audited-transaction.ts";
import type { Lane } from "./lane.ts";
import type { LaneSession } from "./lane-session.ts";
import type { Attempt } from "./lane-transaction.ts";
import { dayOf, hourOf } from "./days.ts";
import type { Partitions } from "./partitions.ts";
import {
  claimKey,
  deliveryValues,
  eventKey,
  INSERT_EVENTS,
  insertDeliveries,
  type NewRecord,
  newRows,
  recordValues,
} from "./record-values.ts";
import { decideRecords } from "./decide-records.ts";

/** The maximum number of jobs and of body bytes in one transaction. */
const LIMITS = { maxJobs: 512, maxBytes: 2_097_152 };

/** A record, or an audit entry that belongs to no other transaction. */
type Input =
  | { readonly kind: "record"; readonly record: NewRecord }
  | { readonly kind: "entry"; readonly draft: AuditDraft }
  | { readonly kind: "checkpoint" };

/** Null: the job was not a record. */
type Result = Recorded | null;

type RecordJob = Job<Input, Result>;

/**
 * One round trip and one transaction for all new events with signed ids of a batch: replay claims, event ids, events, deliveries, audit
 * entries. It assumes that all are new. If the database knows a key already, the statement writes nothing and returns the
 * numbers of these records. If another process writes one of the keys at the same time, it fails with HX001.
 *
 * All processes write the claims before the ids, and both sorted, so that two of them never wait for each other.
 */
const ACCEPT = {
  name: "accept",
  text: `
WITH ${newRows(9, { seq: "nextval('event_seq')", idSigned: "true" })}, known AS MATERIALIZED (
  SELECT i FROM new WHERE
    (SELECT true FROM event_id e WHERE e.source = new.source AND e.id = new.id)
    OR (SELECT true FROM replay_claim c WHERE c.signed_at = new.signed_at AND c.mac = new.mac
      AND c.signed_at BETWEEN $24::bigint AND $25::bigint)
    OR (new.signed_at < 0 AND (SELECT true FROM timeless_claim c WHERE c.mac = new.mac))
), claimed AS (
  INSERT INTO replay_claim (signed_at, mac, claimed_at)
  SELECT signed_at, mac, received_at FROM new WHERE signed_at >= 0 AND NOT EXISTS (SELECT FROM known)
  ORDER BY signed_at, mac
  ON CONFLICT DO NOTHING RETURNING 1
), claimed_timeless AS (
  INSERT INTO timeless_claim (mac, claimed_at)
  SELECT mac, received_at FROM new
  WHERE signed_at < 0 AND NOT EXISTS (SELECT FROM known) AND (SELECT count(*) FROM claimed) >= 0
  ORDER BY mac
  ON CONFLICT DO NOTHING RETURNING 1
), identified AS (
  INSERT INTO event_id (source, id, day, seq, body_sha256)
  SELECT source, id, day, seq, body_sha256 FROM new
  WHERE (SELECT count(*) FROM claimed) + (SELECT count(*) FROM claimed_timeless) = cardinality($9::text[])
  ORDER BY source COLLATE "C", id
  ON CONFLICT DO NOTHING RETURNING 1
), all_new AS MATERIALIZED (
  SELECT (SELECT count(*) FROM identified) = cardinality($9::text[]) AS holds
), stored AS (
  ${INSERT_EVENTS} WHERE (SELECT holds FROM all_new)
), delivered AS (
  ${insertDeliveries(19, "(SELECT holds FROM all_new)")}
), ${writeLines("(SELECT holds FROM all_new)")}
SELECT (SELECT string_agg(i::text, ',') FROM known) AS known, ${POSITIONS},
  CASE WHEN NOT EXISTS (SELECT FROM known) THEN hexhook_require((SELECT holds FROM all_new), 'HX001') END,
  CASE WHEN NOT EXISTS (SELECT FROM known) THEN hexhook_require(EXISTS (SELECT FROM moved), 'HX002') END`,
};

/** The code of ACCEPT: another process wrote a key at the same time. */
const RIVAL = "HX001";

interface AcceptRow {
  readonly known: string | null;
  readonly positions: string | null;
}

/** Records events, and writes entries that belong to no other transaction. */
export interface Recorder {
  readonly record: (record: EventRecord) => Promise<Recorded>;
  readonly append: (draft: AuditDraft) => Promise<void>;
  readonly checkpoint: () => Promise<void>;
}

export function createRecorder(deps: {
  readonly lane: Pick<Lane, "queue">;
  readonly auditedTransaction: AuditedTransaction;
  readonly session: Pick<LaneSession, "row">;
  readonly audit: AuditWriter;
  readonly changes: Pick<CommitChanges, "becomesDue" | "recorded">;
  readonly partitions: Pick<Partitions, "ensure">;
  /** The difference between the database's clock and this process's, in milliseconds. */
  readonly clockOffset: () => number;
}): Recorder {
  const { lane, session, audit, changes, partitions, clockOffset } = deps;
  const options = { ...LIMITS, claimOf: writtenClaim };

  // The jobs that wait share one transaction, which assumes that all records are new.
  const fast = lane.queue<Input, Result>(accept, {
    ...options,
    select: oneOfEachKey,
  });
  // Decides about the other records, in the order of their calls. It also takes all records with unsigned ids.
  const slow = lane.queue<Input, Result>(async (attempt, jobs) => {
    const records = jobs.flatMap(({ input }) =>
      input.kind === "record" ? [input.record] : [],
    );
    await ensurePartitions(attempt, records);
    return deps.auditedTransaction(attempt, (tx) =>
      decideRecords(tx, records, clockOffset()),
    );
  }, options);

  /** Selects one record of each key. The others are decided after it. */
  function oneOfEachKey(jobs: readonly RecordJob[]): RecordJob[] {
    const keys = new Set<string>();
    return jobs.filter((job) => {
      if (job.input.kind === "record") {
        const { record, id } = job.input.record;
        const event = `event ${eventKey(record.event.source, id)}`;
        const claim = claimKey(record.claim);
        if (keys.has(event) || keys.has(claim)) {
          slow.pass(job);
          return false;
        }
        keys.add(event).add(claim);
      }
      return true;
    });
  }

  async function accept(
    attempt: Attempt<Result>,
    jobs: readonly RecordJob[],
  ): Promise<readonly number[] | null> {
    const records = appendEntries(jobs);
    const lines = audit.lines();
    if (lines.length === 0) {
      attempt.commits(jobs.map(() => null));
      return [];
    }
    await ensurePartitions(attempt, records);
    const { connection, from, at } = attempt;
    const head = { from, to: audit.head(), row: session.row() };
    const values = lineValues({ ...head, at, lines });
    attempt.commits(
      jobs.map(({ input }) =>
        input.kind === "record"
          ? { outcome: "accepted", id: input.record.record.event.id }
          : null,
      ),
    );
    if (records.length === 0) {
      const [row] = await connection.query<AcceptRow>(WRITE_LINES, values);
      return parsePositions(row?.positions ?? null);
    }
    try {
      const [row] = await connection.query<AcceptRow>(ACCEPT, [
        ...values,
        ...recordValues(records),
        ...deliveryValues(records, clockOffset()),
        ...signedRange(records),
      ]);
      if (row === undefined || row.known === null) {
        return parsePositions(row?.positions ?? null);
      }
      decideKnown(jobs, new Set(row.known.split(",").map(Number)));
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== RIVAL) {
        throw error;
      }
      decideSlowly(jobs);
    }
    return null;
  }

  /** Passes the records on, and puts the other jobs back. */
  function decideSlowly(jobs: readonly RecordJob[]): void {
    fast.putBack(jobs.filter(({ input }) => input.kind !== "record"));
    slow.putBack(jobs.filter(({ input }) => input.kind === "record"));
  }

  /** `known`: the numbers of the records that the database knows, from 1. */
  function decideKnown(
    jobs: readonly RecordJob[],
    known: ReadonlySet<number>,
  ): void {
    if (!slow.isEmpty()) {
      // A record that waits there may have the key of one of these, and must be decided after it.
      decideSlowly(jobs);
      return;
    }
    let i = 0;
    const isKnown = jobs.map(({ input }) => {
      i += input.kind === "record" ? 1 : 0;
      return input.kind === "record" && known.has(i);
    });
    slow.putBack(jobs.filter((_, at) => isKnown[at]));
    fast.putBack(jobs.filter((_, at) => isKnown[at] === false));
  }

  /** Adds the entries of the jobs to the chain, as if all records were new. Returns the records. */
  function appendEntries(jobs: readonly RecordJob[]): NewRecord[] {
    const records: NewRecord[] = [];
    for (const { input } of jobs) {
      if (input.kind === "record") {
        const { record, bodySha256 } = input.record;
        const { id } = record.event;
        audit.append(entryOfRecord(record, "accepted", { bodySha256, id }));
        for (const { destination } of record.deliveries) {
          changes.becomesDue(destination);
        }
        changes.recorded();
        records.push(input.record);
      } else if (input.kind === "entry") {
        audit.append(input.draft);
      } else {
        audit.checkpoint();
      }
    }
    return records;
  }

  async function ensurePartitions(
    { at }: Attempt<Result>,
    records: readonly NewRecord[],
  ): Promise<void> {
    const days = records.map(({ record }) => dayOf(record.event.receivedAt));
    const hours = records.flatMap(({ record: { claim } }) =>
      claim.signedAt === null ? [] : [hourOf(claim.signedAt)],
    );
    await partitions.ensure("audit_entry", [dayOf(at)]);
    await partitions.ensure("event", days);
    await partitions.ensure("replay_claim", hours);
  }

  return {
    record: async (record) => {
      const { id, body, idSigned } = record.event;
      const bodySha256 = digest("sha256", body, "buffer");
      const queue = idSigned ? fast : slow;
      const recorded = await queue.submit(
        {
          kind: "record",
          record: { record, id: Buffer.from(id), bodySha256 },
        },
        body.length,
      );
      return recorded as Recorded;
    },
    append: async (draft) => {
      await fast.submit({ kind: "entry", draft });
    },
    checkpoint: async () => {
      await fast.submit({ kind: "checkpoint" });
    },
  };
}

/** Returns the claim that a job has written. A replay writes none. */
function writtenClaim(input: Input, result: Result): ClaimKey | null {
  return input.kind === "record" &&
    result?.outcome.startsWith("replayed") === false
    ? input.record.record.claim
    : null;
}

/** The earliest and the latest signed time. With them the statement skips the partitions of other times. */
function signedRange(records: readonly NewRecord[]): [number, number] {
  let [min, max] = [Number.MAX_SAFE_INTEGER, 0];
  for (const { record } of records) {
    const { signedAt } = record.claim;
    if (signedAt !== null) {
      min = Math.min(min, signedAt);
      max = Math.max(max, signedAt);
    }
  }
  return [min, max];
}
