import type { Database } from "./driver.ts";
import type { ChainHead } from "../../audit/chain.ts";
import {
  type AuditAction,
  type AuditDraft,
  TIMESTAMP_AT,
  TIMESTAMP_LENGTH,
} from "../../audit/entry.ts";
import type { AuditPurgeRequest, AuditRow, Store } from "../port.ts";

/** So many writers fit into the entry that names what is gone. */
const MAX_WRITERS = 40;

/** What was purged to its end is told of for so much longer than an entry that names it could be there. */
const MARGIN_MS = 86_400_000;

const PLACE =
  /"chain":\{"writer":"[^"]*","seq":(\d+),"prev":"([0-9a-f]{64})"\},"hash":"([0-9a-f]{64})"\}$/;

/** The old entries of one writer, in order, that a step has come by; the first `gone` of them go. */
interface Stretch {
  readonly rows: { readonly position: number; readonly line: string }[];
  gone: number;
  /** The last one that goes. */
  head: ChainHead | null;
}

/** Deletes old entries of the trail inside the caller's transaction, and writes what vouches for them. */
export function createAuditPurger(
  db: Database,
  deps: {
    writer: string;
    append: (entry: AuditDraft) => void;
    checkpoint: () => void;
    now: () => number;
  },
) {
  const rowsBehind = db.prepare<[number, number, number], AuditRow>(
    `SELECT position, writer, line FROM audit_entry
     WHERE position > ? AND position <= ? ORDER BY position LIMIT ?`,
  );
  const remove = db.prepare<[number]>(
    "DELETE FROM audit_entry WHERE position = ?",
  );
  // One that is seen no more, and whose last entry is this one.
  const over = db.prepare<[string, number, number]>(
    "SELECT 1 FROM audit_writer WHERE writer = ? AND seq = ? AND seen_at < ?",
  );
  const notePurged = db.prepare<[number, string, number, string]>(
    "UPDATE audit_writer SET purged_seq = ?, purged_hash = ?, purged_at = ? WHERE writer = ?",
  );
  const noteTold = db.prepare<[number, string]>(
    "UPDATE audit_writer SET purged_told = ? WHERE writer = ?",
  );
  const lastPosition = db.prepare<[], { last: number | null }>(
    "SELECT max(position) AS last FROM audit_entry",
  );
  const forget = db.prepare<[number]>(
    "DELETE FROM audit_writer WHERE purged_seq = seq AND purged_at < ?",
  );
  const untold = db.prepare<[number], ChainHead>(
    `SELECT writer, purged_seq AS seq, purged_hash AS hash FROM audit_writer
     WHERE purged_seq > 0 AND purged_told <= ? ORDER BY ordinal`,
  );

  /** The stretches of old entries behind `from`, as far as one step looks; `last` is null when there are no more. */
  function look({ before, upTo, from, limit }: AuditPurgeRequest): {
    stretches: Map<string, Stretch>;
    last: number | null;
  } {
    const stretches = new Map<string, Stretch>();
    const fromTheFuture = new Set<string>();
    const found = rowsBehind.all(from, upTo, limit);
    let last = found.length === limit ? (found.at(-1)?.position ?? null) : null;
    for (const { position, writer, line } of found) {
      const at = Date.parse(
        line.slice(TIMESTAMP_AT, TIMESTAMP_AT + TIMESTAMP_LENGTH),
      );
      if (at >= before && at <= deps.now()) {
        last = null;
        break;
      }
      if (at >= before) {
        // The clock was wrong: it says nothing of what comes behind it, but what it follows must not go alone.
        fromTheFuture.add(writer);
      } else if (!fromTheFuture.has(writer)) {
        const stretch = stretches.get(writer) ?? {
          rows: [],
          gone: 0,
          head: null,
        };
        stretches.set(writer, stretch);
        addRow(stretch, { position, line }, writer);
      }
    }
    for (const [writer, stretch] of stretches) {
      endIfOver(writer, stretch, before);
    }
    return { stretches, last };
  }

  function addRow(
    stretch: Stretch,
    row: Stretch["rows"][number],
    writer: string,
  ): void {
    if (hasAction(row.line, "audit.checkpoint") && stretch.rows.length > 0) {
      const [, seq, prev] = PLACE.exec(row.line) ?? [];
      stretch.gone = stretch.rows.length;
      stretch.head = { writer, seq: Number(seq) - 1, hash: prev ?? "" };
    }
    stretch.rows.push(row);
  }

  function endIfOver(writer: string, stretch: Stretch, before: number): void {
    const [, seq, , hash] = PLACE.exec(stretch.rows.at(-1)?.line ?? "") ?? [];
    const head: ChainHead = { writer, seq: Number(seq), hash: hash ?? "" };
    if (
      writer !== deps.writer &&
      over.get(writer, head.seq, before) !== undefined
    ) {
      stretch.gone = stretch.rows.length;
      stretch.head = head;
    }
  }

  /** Writes the entries that vouch for what is gone. */
  function tell(
    writers: readonly ChainHead[],
    entries: number,
    entry: AuditPurgeRequest["entry"],
  ): void {
    for (let i = 0; i < writers.length; i += MAX_WRITERS) {
      const some = writers.slice(i, i + MAX_WRITERS);
      const position = (lastPosition.get()?.last ?? 0) + 1;
      deps.append(entry({ entries: i === 0 ? entries : 0, writers: some }));
      for (const { writer } of some) {
        noteTold.run(position, writer);
      }
    }
  }

  return (
    request: AuditPurgeRequest,
  ): Awaited<ReturnType<Store["purgeAudit"]>> => {
    const { stretches, last } = look(request);
    const going = [...stretches.values()]
      .filter(({ gone }) => gone > 0)
      .slice(0, MAX_WRITERS);
    let entries = 0;
    let lastTold = 0;
    for (const { rows, gone, head } of going) {
      for (const { position, line } of rows.splice(0, gone)) {
        remove.run(position);
        entries += 1;
        if (hasAction(line, "retention.purged")) {
          lastTold = Math.max(lastTold, position);
        }
      }
      if (head !== null) {
        notePurged.run(head.seq, head.hash, deps.now(), head.writer);
      }
    }
    if (entries > 0) {
      const writers = going.flatMap(({ head }) => head ?? []);
      tell(writers, entries, request.entry);
      forget.run(request.before - MARGIN_MS);
      // What vouched for others has gone with them: it is said again.
      tell(untold.all(lastTold), 0, request.entry);
      deps.checkpoint();
    }
    // What was looked at and stays is looked at again with what comes behind it: it may go together with that.
    const left = [...stretches.values()].flatMap(
      ({ rows }) => rows[0]?.position ?? [],
    );
    return {
      entries,
      next: last === null ? null : Math.min(last, ...left.map((p) => p - 1)),
    };
  };
}

function hasAction(line: string, action: AuditAction): boolean {
  return line.startsWith(
    `","action":"${action}"`,
    TIMESTAMP_AT + TIMESTAMP_LENGTH,
  );
}
