import type { ChainHead, EntryPlace } from "./chain.ts";
import { timeOfLine } from "./entry.ts";
import type { Proof } from "./retention-proof.ts";
import { placeOfLine, type StoredEntry } from "./stored-entry.ts";

/*
 * Which old entries of a trail may be deleted. What is kept of each writer must begin with a checkpoint, which names the
 * hash of the entry before it, so that the rest still verifies; of a writer that has ended nothing need be kept.
 */

/** The entries of one writer that may be deleted, in order. */
export interface Deletable {
  readonly entries: readonly StoredEntry[];
  /** How many of them a signature covers, from the first on. */
  readonly signed: number;
  /** The last one of them, which the entry about the deletion names. */
  readonly head: ChainHead;
}

export interface RetentionPlan {
  readonly deletable: readonly Deletable[];
  /** Writers of whom nothing more goes, since entries of theirs stay that come first. */
  readonly blocked: readonly string[];
  /** The first entry of a writer that is not what was written. */
  readonly changed: readonly EntryPlace[];
  /**
   * Where the next step resumes: with the entries that stay, because they may be deletable together with those after
   * them. Null when no older entry follows.
   */
  readonly next: (deleted: readonly Deletable[]) => number | null;
}

/**
 * Plans one step over `rows`, which are in order. `before` and `now` are unix milliseconds; `hasMore`: whether entries
 * follow that were not read. `hasEnded`: whether a writer is gone and this was its last entry. `blocked`: writers whose entries
 * stay.
 */
export function planRetention(
  rows: readonly StoredEntry[],
  facts: {
    readonly before: number;
    readonly now: number;
    readonly hasMore: boolean;
    readonly blocked: ReadonlySet<string>;
    readonly hasEnded: (head: ChainHead) => boolean;
    readonly prove: (
      entries: readonly StoredEntry[],
      hasEnded: boolean,
    ) => Proof;
  },
): RetentionPlan {
  const { hasEnded, prove } = facts;
  const { old, fromTheFuture, last } = oldEntries(rows, facts);
  const deletable: Deletable[] = [];
  const changed: EntryPlace[] = [];
  const blocked = new Set(fromTheFuture);
  for (const [writer, entries] of old) {
    const proof = prove(entries, hasEnded(placeOfLast(entries)));
    if (proof.verdict === "proven") {
      const { count, signed } = proof;
      const gone = entries.slice(0, count);
      deletable.push({ entries: gone, signed, head: placeOfLast(gone) });
    } else if (proof.verdict !== "incomplete") {
      blocked.add(writer);
    }
    if (proof.verdict === "changed") {
      changed.push({ writer, seq: proof.seq });
    }
  }
  return {
    deletable,
    blocked: [...blocked],
    changed,
    next(deleted) {
      if (last === null) {
        return null;
      }
      const kept = [...old].flatMap(([writer, entries]) => {
        const gone = deleted.find(({ head }) => head.writer === writer);
        const first = entries[gone?.entries.length ?? 0];
        return first === undefined || blocked.has(writer)
          ? []
          : [first.position - 1];
      });
      return Math.min(last, ...kept);
    },
  };
}

/** The old entries of each writer; `last` is the last position that was looked at, null when nothing older follows. */
function oldEntries(
  rows: readonly StoredEntry[],
  facts: {
    readonly before: number;
    readonly now: number;
    readonly hasMore: boolean;
    readonly blocked: ReadonlySet<string>;
  },
): {
  old: Map<string, StoredEntry[]>;
  fromTheFuture: Set<string>;
  last: number | null;
} {
  const { before, now, hasMore, blocked } = facts;
  const old = new Map<string, StoredEntry[]>();
  const fromTheFuture = new Set<string>();
  for (const row of rows) {
    const at = timeOfLine(row.line);
    if (at >= before && at <= now) {
      return { old, fromTheFuture, last: null };
    }
    if (at >= before) {
      // The clock was wrong, so its time says nothing of the entries after it; but what it follows must not go alone.
      fromTheFuture.add(row.writer);
    } else if (!fromTheFuture.has(row.writer) && !blocked.has(row.writer)) {
      const entries = old.get(row.writer) ?? [];
      old.set(row.writer, entries);
      entries.push(row);
    }
  }
  const last = hasMore ? (rows.at(-1)?.position ?? null) : null;
  return { old, fromTheFuture, last };
}

function placeOfLast(entries: readonly StoredEntry[]): ChainHead {
  const { writer, seq, hash } = placeOfLine(entries.at(-1)?.line ?? "");
  return { writer, seq, hash };
}
