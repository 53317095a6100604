import type { ChainHead } from "./chain.ts";
import { hasAction, timeOfLine } from "./entry.ts";

/*
 * Which old entries of a trail may be deleted. What is kept of each writer must begin with a checkpoint, which names the
 * hash of the entry before it, so that the rest still verifies; of a writer that has ended nothing need be kept.
 */

const PLACE =
  /"chain":\{"writer":"[^"]*","seq":(\d+),"prev":"([0-9a-f]{64})"\},"hash":"([0-9a-f]{64})"\}$/;

/** A stored entry. Positions grow in the order of commits, over all writers. */
export interface StoredEntry {
  readonly position: number;
  readonly writer: string;
  readonly line: string;
}

/** The entries of one writer that may be deleted, in order. */
export interface Deletable {
  readonly entries: readonly StoredEntry[];
  /** The last one of them, which the entry about the deletion names. */
  readonly head: ChainHead;
}

export interface RetentionPlan {
  readonly deletable: readonly Deletable[];
  /**
   * Where the next step resumes: with the entries that stay, because they may be deletable together with those after
   * them. Null when no older entry follows.
   */
  readonly next: (deleted: readonly Deletable[]) => number | null;
}

/**
 * Plans one step over `rows`, which are in order. `before` and `now` are unix milliseconds; `hasMore`: whether entries
 * follow that were not read. `hasEnded`: whether a writer is gone and this was its last entry.
 */
export function planRetention(
  rows: readonly StoredEntry[],
  facts: {
    readonly before: number;
    readonly now: number;
    readonly hasMore: boolean;
    readonly hasEnded: (head: ChainHead) => boolean;
  },
): RetentionPlan {
  const { before, now, hasMore, hasEnded } = facts;
  const { old, last } = oldEntries(rows, before, now, hasMore);
  const deletable = [...old.values()].flatMap(
    (entries) => deletableOf(entries, hasEnded) ?? [],
  );
  return {
    deletable,
    next(deleted) {
      if (last === null) {
        return null;
      }
      const kept = [...old.values()].flatMap((entries) => {
        const gone = deleted.find(
          ({ head }) => head.writer === entries[0]?.writer,
        );
        const first = entries[gone?.entries.length ?? 0];
        return first === undefined ? [] : first.position - 1;
      });
      return Math.min(last, ...kept);
    },
  };
}

/** The old entries of each writer; `last` is the last position that was looked at, null when nothing older follows. */
function oldEntries(
  rows: readonly StoredEntry[],
  before: number,
  now: number,
  hasMore: boolean,
): { old: Map<string, StoredEntry[]>; last: number | null } {
  const old = new Map<string, StoredEntry[]>();
  const fromTheFuture = new Set<string>();
  for (const row of rows) {
    const at = timeOfLine(row.line);
    if (at >= before && at <= now) {
      return { old, last: null };
    }
    if (at >= before) {
      // The clock was wrong, so its time says nothing of the entries after it; but what it follows must not go alone.
      fromTheFuture.add(row.writer);
    } else if (!fromTheFuture.has(row.writer)) {
      const entries = old.get(row.writer) ?? [];
      old.set(row.writer, entries);
      entries.push(row);
    }
  }
  return { old, last: hasMore ? (rows.at(-1)?.position ?? null) : null };
}

function deletableOf(
  entries: readonly StoredEntry[],
  hasEnded: (head: ChainHead) => boolean,
): Deletable | null {
  const last = entries.at(-1);
  if (last === undefined) {
    return null;
  }
  const { writer } = last;
  const place = placeOf(last.line);
  const end = { writer, seq: place.seq, hash: place.hash };
  if (hasEnded(end)) {
    return { entries, head: end };
  }
  const checkpoint = entries.findLastIndex(
    ({ line }, i) => i > 0 && hasAction(line, "audit.checkpoint"),
  );
  if (checkpoint === -1) {
    return null;
  }
  const { seq, prev } = placeOf(entries[checkpoint]?.line ?? "");
  return {
    entries: entries.slice(0, checkpoint),
    head: { writer, seq: seq - 1, hash: prev },
  };
}

function placeOf(line: string): { seq: number; prev: string; hash: string } {
  const [, seq, prev = "", hash = ""] = PLACE.exec(line) ?? [];
  return { seq: Number(seq), prev, hash };
}
